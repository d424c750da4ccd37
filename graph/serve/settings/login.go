package settings

import (
	"errors"
	"fmt"

	"jobgraph/upstream"
	"jobgraph/upstream/account"
	"jobgraph/upstream/secret"
)

// Login is how the server comes by a token of its own, for callers that send none.
type Login struct {
	UpstreamToken         string `env:"JOBGRAPH_UPSTREAM_TOKEN" placeholder:"HEX" help:"API token for callers that send none; none: such callers get BAD_API_TOKEN. The embedded sandbox brings its own."`
	UpstreamTokenFile     string `env:"JOBGRAPH_UPSTREAM_TOKEN_FILE" placeholder:"FILE" help:"File that --upstream-token is in; it is read again when it changes."`
	UpstreamUsername      string `env:"JOBGRAPH_UPSTREAM_USERNAME" placeholder:"TEXT" help:"Account that the server logs in with and stays logged in, for callers that send no token; it needs a secure key or a password."`
	UpstreamSecurekey     string `env:"JOBGRAPH_UPSTREAM_SECUREKEY" placeholder:"HEX" help:"The account's secure key."`
	UpstreamSecurekeyFile string `env:"JOBGRAPH_UPSTREAM_SECUREKEY_FILE" placeholder:"FILE" help:"File that --upstream-securekey is in; it is read again when it changes."`
	UpstreamPassword      string `env:"JOBGRAPH_UPSTREAM_PASSWORD" placeholder:"TEXT" help:"The account's password, where it has no secure key."`
	UpstreamPasswordFile  string `env:"JOBGRAPH_UPSTREAM_PASSWORD_FILE" placeholder:"FILE" help:"File that --upstream-password is in; it is read again when it changes."`
}

func (l *Login) validate() error {
	tokens := given(l.UpstreamToken, l.UpstreamTokenFile)
	secrets := given(l.UpstreamSecurekey, l.UpstreamSecurekeyFile, l.UpstreamPassword, l.UpstreamPasswordFile)
	switch {
	case tokens > 1:
		return errors.New("--upstream-token and --upstream-token-file are the same setting: leave one out")
	case l.UpstreamToken != "" && !upstream.IsToken(l.UpstreamToken):
		return errToken
	case tokens > 0 && l.UpstreamUsername != "":
		return errors.New("--upstream-username logs in for a token: leave --upstream-token and --upstream-token-file out")
	case l.UpstreamUsername == "" && secrets > 0:
		return errors.New("--upstream-securekey and --upstream-password need --upstream-username")
	case l.UpstreamUsername != "" && secrets != 1:
		return errors.New("--upstream-username needs one of --upstream-securekey, --upstream-password and their files")
	case l.UpstreamUsername != "" && secret.Header(l.UpstreamUsername) != nil:
		return errors.New("--upstream-username must be one line with no space around it")
	}
	return nil
}

var errToken = errors.New("--upstream-token must have 1 to 256 hexadecimal digits")

// Given says whether the server has a token of its own to lend.
func (l *Login) Given() bool {
	return given(l.UpstreamToken, l.UpstreamTokenFile, l.UpstreamUsername) > 0
}

// Account is the account to keep logged in; ok is false where there is none, and
// UpstreamToken, if anything, is the token.
func (l *Login) Account() (config account.Config, ok bool, err error) {
	config = account.Config{Name: "server", Username: l.UpstreamUsername}
	switch {
	case l.UpstreamTokenFile != "":
		config.Token, err = file("--upstream-token-file", "", l.UpstreamTokenFile, func(value string) error {
			if !upstream.IsToken(value) {
				return errors.New("a token has 1 to 256 hexadecimal digits")
			}
			return nil
		})
	case l.UpstreamSecurekey != "", l.UpstreamSecurekeyFile != "":
		config.SecureKey, err = file("--upstream-securekey", l.UpstreamSecurekey, l.UpstreamSecurekeyFile, secret.Header)
	case l.UpstreamPassword != "", l.UpstreamPasswordFile != "":
		config.Password, err = file("--upstream-password", l.UpstreamPassword, l.UpstreamPasswordFile, secret.Header)
	default:
		return config, false, nil
	}
	return config, true, err
}

// file is the secret; flag says in an error whose it is.
func file(flag, value, name string, check func(string) error) (*secret.Text, error) {
	text, err := secret.New(value, name, check)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return text, nil
}

// given counts the settings that are set.
func given(values ...string) (n int) {
	for _, value := range values {
		if value != "" {
			n++
		}
	}
	return n
}
