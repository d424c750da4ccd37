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
	"syscall"
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
	content  []byte // of the file, as it was taken over last

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
	content, err := read(opts.Tenants)
	if err == nil {
		err = t.apply(content)
	}
	return t, err
}

// Tenants are the accounts of the file, by the claim's value. Nobody logs in.
func Tenants(file string) (map[string]account.Config, error) {
	content, err := read(file)
	if err != nil {
		return nil, err
	}
	parsed, err := parse(content)
	if err != nil {
		return nil, err
	}
	return parsed.configs(file)
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

// keep takes over a file that has changed. One that is wrong changes nothing, and is tried
// again: the file of a new tenant's secret may come after it.
func (t *tenants) keep(ctx context.Context) {
	said := ""
	ticker := time.NewTicker(rereadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			wrong := ""
			if err := t.reread(); err != nil {
				wrong = err.Error()
			}
			if wrong != "" && wrong != said {
				t.opts.Logger.Error("the changed tenants are wrong, and those before stay; the file is tried again", "error", wrong)
			}
			said = wrong
		case <-ctx.Done():
			return
		}
	}
}

// reread takes over the file where it is another one.
func (t *tenants) reread() error {
	content, err := read(t.opts.Tenants)
	if err != nil || bytes.Equal(content, t.content) {
		return err
	}
	if err := t.apply(content); err != nil {
		return err
	}
	t.opts.Logger.Info("the tenants have changed", "tenants", len(t.open))
	return nil
}

func read(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // nobody need write to a named pipe
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
	file, err := parse(content)
	if err != nil {
		return err
	}
	configs, err := file.configs(t.opts.Tenants)
	if err != nil {
		return err
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
	t.content = content
	for value, before := range gone {
		if next[value].account != before.account {
			t.accounts.Remove(before.account)
		}
	}
	return nil
}

func parse(content []byte) (file tenantsFile, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&file)
	if _, end := decoder.Token(); err != nil || end != io.EOF {
		return file, errors.New(`it must be JSON such as {"claim": "tenant", "tenants": {"acme": {"username": "acme_api", "securekeyFile": "acme.key"}}}`)
	}
	if file.Claim == "" || len(file.Tenants) == 0 {
		return file, errors.New("it must name a claim and one tenant at least")
	}
	return file, nil
}

// configs are the tenants' accounts; name is the file's own.
func (f tenantsFile) configs(name string) (map[string]account.Config, error) {
	configs := map[string]account.Config{}
	for value, tenant := range f.Tenants {
		config, err := tenant.config(value, filepath.Dir(name))
		if err != nil {
			return nil, fmt.Errorf("tenant %q: %w", value, err)
		}
		configs[value] = config
	}
	return configs, nil
}

// config is the account; its secret is in the folder where its file's name is not absolute.
func (t tenant) config(value, folder string) (config account.Config, err error) {
	config = account.Config{Name: value, Username: t.Username, Lazy: true}
	if secret.Header(t.Username) != nil {
		return config, errors.New("its username is missing, or is not one line")
	}
	path := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(folder, name)
	}
	switch {
	case t.SecurekeyFile != "" && t.PasswordFile == "":
		config.SecureKey, err = secret.New("", path(t.SecurekeyFile), secret.Header)
	case t.PasswordFile != "" && t.SecurekeyFile == "":
		config.Password, err = secret.New("", path(t.PasswordFile), secret.Header)
	default:
		return config, errors.New("it needs one of securekeyFile and passwordFile")
	}
	return config, err
}
