// Package policy decides whether and when a call is made: [RateLimits], [Breaker],
// [FairQueue] and [RetryBudget], in the order in which a call meets them. It knows tokens by
// their hashes, and nothing of jobs or HTTP.
package policy
