package graph

import (
	"context"
	"net/http"
	"strings"
)

type (
	tokenKey  struct{}
	loaderKey struct{}
)

// withToken keeps the caller's token for the operations of this request.
func withToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// tokenFrom is "" where the caller sent none.
func tokenFrom(ctx context.Context) string {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token
}

func withLoader(ctx context.Context, l *loader) context.Context {
	return context.WithValue(ctx, loaderKey{}, l)
}

// loaderFrom is nil outside an operation; a nil loader answers with an error.
func loaderFrom(ctx context.Context) *loader {
	l, _ := ctx.Value(loaderKey{}).(*loader)
	return l
}

// bearerToken reads Authorization: Bearer HEX. No header gives fallback. Any
// other header gives what cannot be a token, which is refused as BAD_API_TOKEN:
// whoever sends a token must not be served with somebody else's.
func bearerToken(header http.Header, fallback string) string {
	authorization := header.Get("Authorization")
	if authorization == "" {
		return fallback
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "not a bearer token"
	}
	if token = strings.TrimSpace(token); token == "" {
		return "not a bearer token"
	}
	return token
}

// wantsFresh reads Cache-Control: no-cache: what is kept will not do.
func wantsFresh(header http.Header) bool {
	for _, value := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-cache") {
				return true
			}
		}
	}
	return false
}
