// Package admission refuses operations that cost too much or ask for what is shut,
// on every transport alike and before anything is validated, coerced or resolved.
package admission

import "fmt"

// Limits bound what one operation may ask for. Each is a flag of the program.
type Limits struct {
	Tokens          int `name:"max-tokens" env:"JOBGRAPH_MAX_TOKENS" default:"1000" placeholder:"N" help:"Most lexical tokens in one query text (default ${default})."`
	Depth           int `name:"max-depth" env:"JOBGRAPH_MAX_DEPTH" default:"10" placeholder:"N" help:"Deepest nesting of fields; introspection has a bound of its own (default ${default})."`
	Aliases         int `name:"max-aliases" env:"JOBGRAPH_MAX_ALIASES" default:"30" placeholder:"N" help:"Most aliases and repeated fields in one query text (default ${default})."`
	RootFields      int `name:"max-root-fields" env:"JOBGRAPH_MAX_ROOT_FIELDS" default:"20" placeholder:"N" help:"Most fields at the top of one operation (default ${default})."`
	Directives      int `name:"max-directives" env:"JOBGRAPH_MAX_DIRECTIVES" default:"50" placeholder:"N" help:"Most directives in one query text (default ${default})."`
	IDs             int `name:"max-ids" env:"JOBGRAPH_MAX_IDS" default:"100" placeholder:"N" help:"Most ids in one field, such as job(ids:) (default ${default})."`
	Representations int `name:"max-representations" env:"JOBGRAPH_MAX_REPRESENTATIONS" default:"1000" placeholder:"N" help:"Most representations in one _entities (default ${default})."`
	UpstreamCalls   int `name:"max-upstream-calls" env:"JOBGRAPH_MAX_UPSTREAM_CALLS" default:"1000" placeholder:"N" help:"Most calls of the job API that one operation may cause (default ${default})."`
	ResponseFields  int `name:"max-response-fields" env:"JOBGRAPH_MAX_RESPONSE_FIELDS" default:"50000" placeholder:"N" help:"Most fields that one answer may hold, list sizes multiplied in (default ${default})."`
}

// DefaultLimits are the flags' defaults.
func DefaultLimits() Limits {
	return Limits{
		Tokens: 1000, Depth: 10, Aliases: 30, RootFields: 20, Directives: 50,
		IDs: 100, Representations: 1000, UpstreamCalls: 1000, ResponseFields: 50_000,
	}
}

// Validate is called at start: a limit that would refuse everything is a mistake.
func (l Limits) Validate() error {
	for _, limit := range []struct {
		flag  string
		value int
	}{
		{"--max-tokens", l.Tokens},
		{"--max-depth", l.Depth},
		{"--max-aliases", l.Aliases},
		{"--max-root-fields", l.RootFields},
		{"--max-directives", l.Directives},
		{"--max-ids", l.IDs},
		{"--max-representations", l.Representations},
		{"--max-upstream-calls", l.UpstreamCalls},
		{"--max-response-fields", l.ResponseFields},
	} {
		if limit.value < 1 {
			return fmt.Errorf("%s must be at least 1", limit.flag)
		}
	}
	return nil
}
