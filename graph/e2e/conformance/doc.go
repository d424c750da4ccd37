// Package conformance holds the built program against the GraphQL-over-HTTP
// specification, by the audits of the npm package graphql-http. Its tests need
// Node 20 or newer and, once, in this folder:
//
//	npm ci
package conformance
