package serve

import (
	"cmp"
	"time"

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
		MaxJoin:       min(time.Second, cmp.Or(f.UpstreamAttempt, f.UpstreamTimeout)/4),
		ObserveLookup: f.metrics.LookedUp,
	})
}

// pauses are those that other instances were told too; nil where there are none.
func (f *facade) pauses(accounts func() *account.Accounts) upstream.Pauses {
	if f.fleet == nil {
		f.metrics.Pauses(func() int64 { return 0 })
		return nil
	}
	pauses := fleet.SharePauses(f.fleet, f.upstreamURL, func(r upstream.Request) ([]string, bool) { return accounts().Identity(r) })
	f.metrics.Pauses(pauses.Heard)
	return pauses
}

// shareSlots has all instances together make no more calls than one may; its end is close.
func (f *facade) shareSlots(client *upstream.Client) (close func()) {
	if f.fleet == nil {
		f.metrics.Slots(func() int { return f.UpstreamConcurrency })
		return func() {}
	}
	slots := fleet.ShareSlots(f.fleet, f.upstreamURL, f.UpstreamConcurrency, client.Slots())
	f.metrics.Slots(slots.Size)
	return slots.Close
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
