// Package graph is the GraphQL endpoint over the job API. [NewHandler] is the way in: it
// puts the parts below together, one line a stage. The examples are the best way to start.
//
// # A query
//
// Paths are below this folder, those that begin with ../upstream aside. What a stage
// refuses is answered there and goes no further.
//
//  1. serve/web/web.go: the access log, the headers, the Host, the deadlines, CORS.
//  2. handler.go, withRequest: the caller's token and its wish for fresh data; the body's bound.
//  3. transport/http.go: the media type, the bytes of the request. A request whose response
//     is cached is answered here (responsecache/requests.go); under overload every other one
//     is refused (admission/limiter.go). Then it is decoded (transport/post.go, transport/get.go).
//  4. admission/persisted/persisted.go: the text, where its hash was sent.
//  5. admission/guard.go: the document, parsed and valid, from its cache or admission/document.go;
//     what it may cost (admission/cost.go). Then gqlgen coerces the variables.
//  6. entities.go and subscription.go: what only references and subscriptions must be.
//  7. responsecache/responsecache.go: the response, where it is cached or under way for an
//     equal query (responsecache/call.go). From here on there is one execution for all.
//  8. admission/limiter.go and admission/heavy.go: a permit to be executed.
//  9. budget/extension.go: the bytes of the answer that is begun.
//  10. schema.resolvers.go: one step, to the loader (loader.go), which asks for each id once.
//  11. ../upstream/store/store.go: the job, where it is cached or under way, and a note in the
//     read set (../upstream/store/readset.go); else one call of the source.
//  12. ../upstream/client.go, callWithPolicies: the rate limit, the circuit breaker, the turn
//     among all calls and the attempts, each a policy of ../upstream/policy/doc.go.
//     ../upstream/call.go is one attempt, over ../upstream/transport.go and
//     ../upstream/http1/client.go.
//
// The answer goes back: ../upstream/decode.go makes a job one block of bytes, the store
// stores it and wakes who waits for it, projection/projection.go writes what was selected into
// bytes that it has reserved (budget/answer.go), responsecache stores the response while
// its read set is valid, admission/errors.go bounds its errors, and transport/responder.go sends it.
//
// # An event of a subscription
//
// transport/websocket.go or transport/sse.go begins the operation (transport/operation.go); it
// passes 4 to 6. The resolver subscribes at ../upstream/poll/poller.go, where one goroutine
// for each job and token asks the store for fresh data, as often as
// ../upstream/poll/schedule.go says, and publishes a state that is new
// (../upstream/poll/watchedjob.go). ../upstream/poll/subscriber.go holds the latest state
// for each subscriber until its reader takes it. The projection writes it, and the
// transport sends it before it asks for the next one.
//
// # A reference
//
// A gateway's _entities is a query. entities.go holds all of it that is ours, in the order in
// which a reference meets it: validate, normalize, resolve, fail. References to a job that is
// asked for more than once, anywhere in the operation, are one call.
//
// # What travels in the context
//
//   - the caller: token and fresh (context.go), from stage 2 on;
//   - the [budget.Hold] of the answer, from the transport on;
//   - the operation's loader (context.go), from stage 7 on;
//   - the execution's [store.ReadSet], from stage 7 on.
//
// # Locks
//
// Whoever holds one of these may take those to its right, and no other:
//
//   - the response cache's group, a read set, the store;
//   - the poller, a watched job, a subscriber.
//
// Every other mutex is taken alone, and nothing is called with it held.
//
// # Where a change goes
//
//   - A field of Job: schema.graphqls, go generate, then job.go, encode.go and encoded.go in ../upstream
//     for Go, ../upstream/members.go for its name upstream, and projection/job.go for the answer.
//   - A limit of operations: admission/limits.go, with its flag in serve/settings/settings.go.
//   - A second tier of the cache: an [upstream.Source] between the store and the client,
//     in serve/facade.go.
//   - A transport: transport/, with one line in handler.go. It makes an operation, as
//     transport/sse.go does.
//   - Another endpoint of the job API: its own file and method in ../upstream, over the same
//     policies, and a method of [upstream.Source].
//   - A retry for one more status: ../upstream/response_error.go says which failures are transient.
package graph
