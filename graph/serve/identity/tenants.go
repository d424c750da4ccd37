package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"jobgraph/upstream/account"
	"jobgraph/upstream/secret"
)

const (
	// maxTenantsFile bounds the file, in bytes.
	maxTenantsFile = 4 << 20
	// rereadEvery is how often it is looked at.
	rereadEvery = 5 * time.Second
)

// tenantsFile is the file: a claim, and an account for each of its values.
type tenantsFile struct {
	Claim   string            `json:"claim"`
	Tenants map[string]tenant `json:"tenants"`
}

// tenant is an account, with the file of its secure key or of its password.
type tenant struct {
	Username      string `json:"username"`
	SecurekeyFile string `json:"securekeyFile"`
	PasswordFile  string `json:"passwordFile"`
}

// tenants are the accounts that are open, by the claim's value.
type tenants struct {
	opts     Options
	accounts *account.Accounts
	content  []byte // of the file, as it was read last

	mu    sync.RWMutex
	claim string
	open  map[string]opened
}

type opened struct {
	tenant
	account *account.Account
}

func newTenants(accounts *account.Accounts, opts Options) (*tenants, error) {
	t := &tenants{opts: opts, accounts: accounts, open: map[string]opened{}}
	content, err := t.read()
	if err == nil {
		err = t.apply(content)
	}
	return t, err
}

// handle is that of the account whose value the claim has; a claim with several must name
// one of them alone.
func (t *tenants) handle(claims map[string]json.RawMessage) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var values []string
	var value string
	switch {
	case json.Unmarshal(claims[t.claim], &value) == nil:
		values = []string{value}
	case json.Unmarshal(claims[t.claim], &values) != nil:
		return "", false
	}
	found := map[string]string{}
	for _, value := range values {
		if o, ok := t.open[value]; ok {
			found[value] = o.account.Handle()
		}
	}
	for _, handle := range found {
		return handle, len(found) == 1
	}
	return "", false
}

// keep takes over a file that has changed. One that is wrong changes nothing.
func (t *tenants) keep(ctx context.Context) {
	ticker := time.NewTicker(rereadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			content, err := t.read()
			if err != nil || bytes.Equal(content, t.content) {
				continue // it is being replaced, or is the same
			}
			if err := t.apply(content); err != nil {
				t.opts.Logger.Error("the changed tenants are wrong, and those before stay", "error", err)
			} else {
				t.opts.Logger.Info("the tenants have changed", "tenants", len(t.open))
			}
		case <-ctx.Done():
			return
		}
	}
}

func (t *tenants) read() ([]byte, error) {
	file, err := os.Open(t.opts.Tenants)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxTenantsFile+1))
	if err == nil && len(content) > maxTenantsFile {
		err = fmt.Errorf("it has more than %d bytes", maxTenantsFile)
	}
	return content, err
}

// apply opens the accounts that are new and removes those that are gone or are others.
func (t *tenants) apply(content []byte) error {
	t.content = content
	var file tenantsFile
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return errors.New(`it must be JSON such as {"claim": "tenant", "tenants": {"acme": {"username": "acme_api", "securekeyFile": "acme.key"}}}`)
	}
	if file.Claim == "" || len(file.Tenants) == 0 {
		return errors.New("it must name a claim and one tenant at least")
	}
	configs := map[string]account.Config{}
	for value, tenant := range file.Tenants {
		config, err := t.config(value, tenant)
		if err != nil {
			return fmt.Errorf("tenant %q: %w", value, err)
		}
		configs[value] = config
	}
	next := map[string]opened{}
	for value, tenant := range file.Tenants {
		if before, ok := t.open[value]; ok && before.tenant == tenant {
			next[value] = before
		} else {
			next[value] = opened{tenant, t.accounts.Open(configs[value])}
		}
	}
	t.mu.Lock()
	gone := maps.Clone(t.open)
	t.claim, t.open = file.Claim, next
	t.mu.Unlock()
	for value, before := range gone {
		if next[value].account != before.account {
			t.accounts.Remove(before.account)
		}
	}
	return nil
}

func (t *tenants) config(value string, of tenant) (config account.Config, err error) {
	config = account.Config{Name: value, Username: of.Username, Lazy: true}
	if secret.Header(of.Username) != nil {
		return config, errors.New("its username is missing, or is not one line")
	}
	switch {
	case of.SecurekeyFile != "" && of.PasswordFile == "":
		config.SecureKey, err = secret.New("", t.path(of.SecurekeyFile), secret.Header)
	case of.PasswordFile != "" && of.SecurekeyFile == "":
		config.Password, err = secret.New("", t.path(of.PasswordFile), secret.Header)
	default:
		return config, errors.New("it needs one of securekeyFile and passwordFile")
	}
	return config, err
}

// path is a secret's: beside the tenants' file where it is not absolute.
func (t *tenants) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(t.opts.Tenants), name)
}
