package settings

import (
	"errors"
	"fmt"

	"jobgraph/upstream/fleet"
)

// Fleet is what instances share over Redis.
type Fleet struct {
	RedisURL        string `name:"redis-url" env:"JOBGRAPH_REDIS_URL" placeholder:"URL" help:"Redis or Valkey by which instances share what they fetch, such as redis://user:password@redis.example.com:6379/0, or rediss:// for TLS; ?addr=HOST:PORT names more nodes of a cluster, ?master_set=NAME a sentinel's. None: each instance fetches for itself."`
	RedisURLFile    string `name:"redis-url-file" env:"JOBGRAPH_REDIS_URL_FILE" placeholder:"FILE" help:"File that --redis-url is in."`
	RedisPrefix     string `env:"JOBGRAPH_REDIS_PREFIX" default:"jobgraph:" placeholder:"TEXT" help:"What each key and channel in Redis begins with (default ${default})."`
	FleetSecret     string `env:"JOBGRAPH_FLEET_SECRET" placeholder:"TEXT" help:"Secret of 32 characters or more, the same for all instances: what is in Redis is encrypted with it. It is needed with --redis-url."`
	FleetSecretFile string `env:"JOBGRAPH_FLEET_SECRET_FILE" placeholder:"FILE" help:"File that --fleet-secret is in."`
}

var errFleetSecret = fmt.Errorf("--fleet-secret must have %d characters or more, such as what openssl rand -hex 32 prints", fleet.MinSecret)

func (f *Fleet) validate() error {
	urls, secrets := given(f.RedisURL, f.RedisURLFile), given(f.FleetSecret, f.FleetSecretFile)
	switch {
	case urls > 1:
		return errors.New("--redis-url and --redis-url-file are the same setting: leave one out")
	case secrets > 1:
		return errors.New("--fleet-secret and --fleet-secret-file are the same setting: leave one out")
	case urls == 0 && secrets > 0:
		return errors.New("--fleet-secret needs --redis-url")
	case urls > 0 && secrets == 0:
		return errors.New("--redis-url needs --fleet-secret or --fleet-secret-file, the same for all instances: what is in Redis is encrypted with it")
	case f.FleetSecret != "" && checkFleetSecret(f.FleetSecret) != nil:
		return errFleetSecret
	}
	if f.RedisURL != "" {
		if err := fleet.CheckURL(f.RedisURL); err != nil {
			return fmt.Errorf("--redis-url: %w", err)
		}
	}
	if err := fleet.CheckPrefix(f.RedisPrefix); err != nil {
		return fmt.Errorf("--redis-prefix: %w", err)
	}
	return nil
}

func checkFleetSecret(value string) error {
	if len(value) < fleet.MinSecret {
		return errFleetSecret
	}
	return nil
}

// Options are the fleet's; ok is false where there is none.
func (f *Fleet) Options() (options fleet.Options, ok bool, err error) {
	if given(f.RedisURL, f.RedisURLFile) == 0 {
		return options, false, nil
	}
	url, err := file("--redis-url-file", f.RedisURL, f.RedisURLFile, fleet.CheckURL)
	if err != nil {
		return options, false, err
	}
	key, err := file("--fleet-secret-file", f.FleetSecret, f.FleetSecretFile, checkFleetSecret)
	if err != nil {
		return options, false, err
	}
	return fleet.Options{URL: url.Get(), Prefix: f.RedisPrefix, Secret: []byte(key.Get())}, true, nil
}
