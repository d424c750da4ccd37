// Package persisted lets a client name a query instead of sending it: by automatic
// persisted queries (the Apollo protocol), where any query may be registered, or by
// trusted documents, where nothing but the operator's list is taken.
package persisted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/boundedcache"
	"jobgraph/graph/errcode"
)

// messageNotFound is the protocol's own: Apollo's clients send the whole query when they
// read it, or its code.
const messageNotFound = "PersistedQueryNotFound"

// maxTextBytes bounds the texts that automatic persisted queries keep together.
const maxTextBytes = 8 << 20

// Documents is a gqlgen extension. Use it before any other that reads the query.
type Documents struct {
	registered *otter.Cache[string, string]
	shared     Shared // nil: what is registered here is known here alone
	trusted    *List  // nil: any document is run
}

var _ graphql.OperationParameterMutator = (*Documents)(nil)

// Shared has what was registered at other instances. Neither of its methods may wait for long.
type Shared interface {
	Find(ctx context.Context, hash string) (text string, ok bool)
	Register(hash, text string)
}

// Automatic keeps the queries that clients register, as long as there is room, and shares
// them; nil: with nobody.
func Automatic(shared Shared) *Documents {
	return &Documents{shared: shared, registered: boundedcache.New(maxTextBytes, func(hash, text string) uint32 { return uint32(len(hash) + len(text)) })}
}

// Trusted takes nothing but these documents.
func Trusted(documents *List) *Documents { return &Documents{trusted: documents} }

// ExtensionName is gqlgen's.
func (d *Documents) ExtensionName() string { return "PersistedDocuments" }

// Validate is gqlgen's; there is nothing to check.
func (d *Documents) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters puts in the query that the request names, or refuses it.
func (d *Documents) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	id, named, ok := documentID(params.Extensions["persistedQuery"])
	if d.trusted == nil {
		id = strings.TrimPrefix(id, hashPrefix)
	}
	switch {
	case !ok:
		return errcode.New(errcode.BadUserInput, `The extension persistedQuery is not {"version": 1, "sha256Hash": "HEX"}.`)
	case d.trusted != nil:
		return d.resolveTrusted(ctx, params, id, named)
	case !named:
		return nil
	case params.Query == "":
		text, known := d.find(ctx, id)
		if !known {
			return errcode.New(errcode.PersistedQueryNotFound, messageNotFound)
		}
		params.Query = text
		return nil
	case hash(params.Query) != id:
		return errcode.New(errcode.BadUserInput, "The document's hash is not the query's SHA-256 in hexadecimal digits.")
	default:
		d.register(id, params.Query)
		return nil
	}
}

// find gives the text that was registered here, or elsewhere.
func (d *Documents) find(ctx context.Context, id string) (text string, known bool) {
	text, known = d.registered.GetIfPresent(id)
	if known || d.shared == nil || !isHash(id) {
		return text, known
	}
	if text, known = d.shared.Find(ctx, id); !known || hash(text) != id {
		return "", false
	}
	d.registered.Set(id, text)
	return text, true
}

// register does not share again what is known here: it was shared when it came.
func (d *Documents) register(id, text string) {
	if _, known := d.registered.GetIfPresent(id); known {
		return
	}
	d.registered.Set(id, text)
	if d.shared != nil {
		d.shared.Register(id, text)
	}
}

// isHash says whether an id can be a text's: nobody is asked for another one.
func isHash(id string) bool {
	sum, err := hex.DecodeString(id)
	return err == nil && len(sum) == sha256.Size
}

// resolveTrusted takes the text from the list alone. A text that is sent must be in it too.
func (d *Documents) resolveTrusted(ctx context.Context, params *graphql.RawParams, id string, named bool) *gqlerror.Error {
	if !named {
		id = hash(params.Query)
	}
	list := d.trusted.current.Load()
	document, known := list.find(id)
	switch {
	case !known && params.Query == "":
		return errcode.New(errcode.PersistedQueryNotFound, messageNotFound)
	case !known, params.Query != "" && params.Query != document.text:
		return errcode.New(errcode.QueryNotInSafelist, "This server runs the documents of its operator's list only. Send the id of one of them.")
	}
	params.Query = document.text
	graphql.GetOperationContext(ctx).Stats.SetExtension(trustedKey, Trust{document.name, list.generation})
	return nil
}

// Trust is what is known of an operation that is one of the operator's documents.
type Trust struct {
	// Name is the document's, for metrics; "": it has none.
	Name string
	// Generation is that of the list that had it.
	Generation uint64
}

// trustedKey is where an operation has its Trust, in the operation's stats.
const trustedKey = "persisted.trusted"

// TrustOf is the zero Trust for an operation that is no document of the operator's.
func TrustOf(operation *graphql.OperationContext) Trust {
	trust, _ := operation.Stats.GetExtension(trustedKey).(Trust)
	return trust
}

// hashPrefix is before an id that is the text's SHA-256, as the specification's appendix has it.
const hashPrefix = "sha256:"

// documentID reads the extension; ok is false where it makes no sense.
func documentID(extension any) (id string, named, ok bool) {
	if extension == nil {
		return "", false, true
	}
	fields, _ := extension.(map[string]any)
	id, _ = fields["sha256Hash"].(string)
	version := fields["version"]
	return id, true, id != "" && (version == json.Number("1") || version == 1.0)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
