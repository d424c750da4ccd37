// Package serve is the program: [Run] parses a command line and does what it says until
// its context ends. The facade is wired in facade.go, in the order of the data's way.
package serve

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"jobgraph/graph/serve/licenses"
	"jobgraph/graph/serve/settings"
	"jobgraph/graph/serve/version"
	"jobgraph/graph/serve/web"
)

type commands struct {
	Serve   settings.Serve   `cmd:"" default:"withargs" help:"Serve the GraphQL facade over the cielo24 job API, and its playground; without --upstream-url on an embedded sandbox of that API. This is the default command; the others are sandbox, health, doctor, callback-url and licenses."`
	Sandbox settings.Sandbox `cmd:"" help:"Serve the embedded job API by itself, to try clients on."`

	Health settings.Health `cmd:"" help:"Ask a server on this machine how it is; exit code 0 where it is well, as a container's health check wants it."`
	Doctor settings.Doctor `cmd:"" help:"Ask the job API with the server's settings and say what works: DNS, TLS, clock, login, one job."`

	Version kong.VersionFlag `help:"Print the version and end."`

	CallbackURL settings.CallbackURL `cmd:"" name:"callback-url" help:"Print the callback_url to hand to the job API, so that a finished job is told at once."`

	Licenses struct{} `cmd:"" help:"Print the licenses and notices of everything that is in this program."`
}

// Run is the program with its arguments. It returns when ctx is done and everything has
// stopped; the error is one line for whoever started it.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var cli commands
	exited := false
	parser, err := kong.New(&cli,
		kong.Name("jobgraph"),
		kong.Description("A GraphQL facade over the cielo24 job API. Without --upstream-url it runs on an embedded sandbox of that API."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }), // after --help and --version
		kong.Vars{"version": version.Current().String()},
		kong.Help(help),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	switch {
	case exited:
		return nil
	case err != nil:
		return err
	case command.Command() == "sandbox":
		return serveSandbox(ctx, &cli.Sandbox, stdout, stderr)
	case command.Command() == "health":
		return health(ctx, &cli.Health, stdout)
	case command.Command() == "doctor":
		return doctor(ctx, &cli.Doctor, stdout)
	case command.Command() == "callback-url":
		return printCallbackURL(&cli.CallbackURL, stdout)
	case command.Command() == "licenses":
		_, err := io.WriteString(stdout, licenses.Text())
		return err
	default:
		return serveFacade(ctx, &cli.Serve, stdout, stderr)
	}
}

// help shows the default command's flags where no command is named.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if ctx.Selected() == nil {
		serve, err := kong.Trace(ctx.Kong, []string{"serve"})
		if err != nil {
			return err
		}
		ctx = serve
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

func printCallbackURL(c *settings.CallbackURL, stdout io.Writer) error {
	secret, err := c.Secret()
	if err == nil {
		_, err = fmt.Fprintln(stdout, strings.TrimSuffix(c.PublicURL, "/")+web.CallbackPath(secret.Get()))
	}
	return err
}
