// Package upstream is the client of the cielo24 job API: one GET for one
// job, or for a list of jobs.
//
// It decodes what the API documents, strictly; it turns everything else into an
// [*Error] that is safe to show; and it keeps the caller's token out of every
// text it makes. It knows nothing of GraphQL.
package upstream
