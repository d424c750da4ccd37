// Package policy decides whether and when a call is made. A call meets [RateLimits], the
// [Breaker], the [FairQueue], the Breaker once more for each attempt, and the [RetryBudget] before
// a second one. It knows tokens by their hashes, and nothing of jobs or HTTP.
package policy
