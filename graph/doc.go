// Package graph is the GraphQL endpoint over the job API. [NewHandler] is the way in: it
// puts the parts below together, one line a stage. The examples are the best way to start.
//
// # A query
//
// Paths are below this folder, those that begin with ../ aside. What a stage refuses is
// answered there; what 4 to 6 refuse passes the interceptors of 7 to 9 as a response that
// nobody executes.
//
//  1. serve/web/serve.go: the connection (serve/web/connlimit.go) and its timeouts; then
//     serve/web/web.go: the access log, the headers, the Host, the deadlines, CORS.
//     spans.go begins the request's span; observe.go sees each operation end.
//  2. callers.go, withRequest: who asks (by a JWT: serve/identity/verifier.go), the token, the wish
//     for fresh data; the body's bound.
//  3. transport/http.go: the media type, the bytes of the request (transport/requests.go); the caller's rate
//     (admission/rate.go). A request whose response
//     is cached is answered here (responsecache/requests.go), with what the caller's own cache
//     may know of it (responsecache/freshness.go); under overload every other one
//     is refused (admission/limiter.go, with as many permits as admission/pressure.go leaves).
//     Then it is decoded (transport/post.go, transport/get.go).
//     transport/websocket_protocol.go and transport/sse.go decode at once, and begin the
//     operation in transport/operation.go.
//  4. admission/persisted/persisted.go: the text, where its hash or its id was sent
//     (admission/persisted/list.go has the operator's).
//  5. admission/guard.go: the document, parsed and valid, from its cache or admission/document.go;
//     what it may cost (admission/cost.go), and for a router (admission/price.go). Then gqlgen
//     coerces the variables.
//  6. entities.go and subscription.go: what only references and subscriptions must be.
//  7. responsecache/responsecache.go: the response, where it is cached or under way for an
//     equal query (responsecache/call.go). From here on there is one execution for all; a
//     query for fresh data and a subscription pass by.
//  8. admission/guard.go, InterceptResponse: a permit to be executed (admission/limiter.go, admission/pressure.go), and
//     a turn among those that take much (admission/heavy.go).
//  9. budget/extension.go: the bytes of the answer that is begun.
//  10. prefetch.go: the ids of all fields at the top, in one batch. Then schema.resolvers.go: one
//     step, to the loader (loader.go), which asks for each id once.
//     A page of a list (pages.go) is cut by ../upstream/paging/paging.go, whose walk.go asks for
//     lists, from window to window.
//  11. ../upstream/store/store.go, the way in, and read.go beside it: each job, or the list, where it is
//     cached or under way, and a note in the read set (readset.go); else one call of the source
//     (call.go). One goroutine waits for all jobs of a batch, and has each as it comes.
//     In a fleet that is ../upstream/fleet/tier/tier.go: it looks in Redis first (lookup.go beside it),
//     joins another instance's call (join.go), and shares what the job API gives (share.go). The slots and
//     rate limits of the next step are the fleet's (../upstream/fleet/slots.go and pauses.go).
//     For an account of this server, ../upstream/account/accounts.go puts the token of the moment
//     in the place of its handle, and repeats a call whose token was refused.
//  12. ../upstream/client.go, callWithPolicies: the rate limit, the circuit breaker, the turn
//     among all calls and the attempts, each a policy of ../upstream/policy/doc.go.
//     ../upstream/call.go is one attempt, over ../upstream/transport.go and
//     ../upstream/http1/client.go.
//
// The answer goes back: ../upstream/decode.go makes a job one block of bytes, the store
// stores it and wakes who waits for it, projection/joined.go reserves the bytes of what was
// selected (budget/answer.go) and projection/object.go writes them, admission/errors.go bounds the
// response's errors, responsecache stores it while its read set is valid, and
// transport/responder.go sends it.
//
// # An event of a subscription
//
// The operation is begun as a query over the same transport, and passes 4 to 6. The resolver
// subscribes at ../upstream/poll/poller.go, where one goroutine for each job and token asks
// the store for fresh data (../upstream/poll/poll.go), as often as
// ../upstream/poll/schedule.go says, or when a callback wakes it (serve/web/callbacks.go), and
// publishes a state that is new (../upstream/poll/watchedjob.go).
// ../upstream/poll/subscriber.go holds the latest state for each subscriber until its
// reader takes it. In a fleet (../upstream/poll/fleet.go) one instance polls the jobs of a token: the holder
// of its lease (../upstream/poll/member.go). What it finds is stored and published by
// ../upstream/fleet/membership.go, and judged by the job's goroutine of each instance, which orders it
// among all that it knows (../upstream/poll/sharing.go). Each event is an answer of its own (stage 9): the projection writes it,
// and the transport sends it before it asks for the next one: into a stream
// (transport/sse.go, transport/multipart.go), a WebSocket, or by a call of the router that asked
// (transport/callbacks.go).
//
// # A reference
//
// A gateway's _entities is a query. entities.go holds what is ours of it, in the order in
// which a reference meets it: validate, normalize, resolve, fail; entity.resolvers.go is one
// step to the loader; one by externalId is a list (external.go). References to a job that is
// asked for more than once, anywhere in the operation, are one call.
//
// # What travels in the context
//
//   - the caller: token and fresh (context.go), from stage 2 on;
//   - the [budget.Hold] of the answer, from the transport on;
//   - the operation's loader (context.go), from stage 7 on;
//   - the execution's [store.ReadSet], from stage 7 on, where its response may be shared.
//
// net/http's own context has the connection besides, for stage 1 alone. What the extensions of
// gqlgen note of an operation for themselves is in its Stats, each under the name of its package.
//
// # Locks
//
// Whoever holds one of these may take those to its right, and no other:
//
//   - the response cache's group, a read set, the store;
//   - the poller, a watched job, a subscriber; or the poller, a member of a fleet.
//
// No other mutex of ours is held while another one is taken. What is called under one, such
// as an observer or a connection's Close, does not wait for a caller. The caches' own locks
// (boundedcache) come before a read set's, whose size they ask for.
//
// # Where a change goes
//
//   - A field of Job: its place and its method in ../upstream/encoded.go, ../upstream/job.go and
//     ../upstream/encode.go for Go, its name upstream in ../upstream/members.go; an enum also
//     ../upstream/enums.go and ../upstream/decode.go. Then schema.graphqls at the top, go
//     generate, and projection/job.go. The sandbox shows it (../upstream/sandbox/info.go).
//   - A type that keeps its name under a prefix: names.go. Documents name types as they are
//     served until they are valid (admission/document.go), and the projection tells them so.
//   - A limit of one operation: a field with its flag in admission/limits.go, counted in
//     admission/stats.go, checked in admission/document.go where the text alone says it and
//     in admission/cost.go where variables do. A limit of the process: serve/settings/settings.go,
//     and serve/handler.go hands it on.
//   - Something else that instances share: a key and a sealed value of ../upstream/fleet/seal.go,
//     asked for by ../upstream/fleet/ask.go, which never waits for long. The second tier is the model: a
//     [upstream.Source] between the store and the client, which [upstream.Request.Fresh] passes by, a
//     refused token empties, and whose keys are of what a caller is in all instances:
//     [upstream.TokenKey] is this process's own.
//   - A transport: transport/, with one line in handler.go, addLiveTransports, before HTTP,
//     which takes all. transport/sse.go is the model: the origin, the connection's slot, the
//     operation, the deadlines.
//   - Another endpoint of the job API: ../upstream/client.go, whose callWithPolicies takes any call;
//     ../upstream/list.go is the model. It needs an interface of its own beside [upstream.Source]
//     and [upstream.Lister], and its place in ../upstream/sandbox/sandbox.go.
//   - A retry for one more status: ../upstream/response_error.go says which answers are transient,
//     ../upstream/transient.go which connections.
package graph
