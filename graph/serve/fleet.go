package serve

import (
	"jobgraph/upstream"
	"jobgraph/upstream/account"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/tier"
	"jobgraph/upstream/poll"
)

// joinFleet connects to Redis in the background; nil where the instance is alone.
func (f *facade) joinFleet() (*fleet.Fleet, error) {
	options, ok, err := f.Fleet.Options()
	if err != nil || !ok {
		return nil, err
	}
	options.Logger, options.Observer = f.logger, f.metrics
	return fleet.New(options)
}

// secondTier is what the store asks: what all instances have fetched, and then the job API.
func (f *facade) secondTier(accounts *account.Accounts, forget func(upstream.TokenKey)) tier.API {
	if f.fleet == nil || !f.Cache {
		return accounts
	}
	return tier.New(accounts, f.fleet, tier.Options{
		SettledTTL:    f.CacheSettled,
		ActiveTTL:     f.CacheActive,
		Upstream:      f.upstreamURL,
		Identity:      accounts.Identity,
		Forget:        forget,
		ObserveLookup: f.metrics.LookedUp,
	})
}

// watching is what instances share of watched jobs.
func (f *facade) watching(accounts *account.Accounts) poll.Fleet {
	if f.fleet == nil {
		return nil
	}
	return fleet.NewWatching(f.fleet, func(token string) ([]string, bool) {
		identity, ok := accounts.Identity(upstream.NewRequest(token, ""))
		return append([]string{f.upstreamURL}, identity...), ok
	})
}
