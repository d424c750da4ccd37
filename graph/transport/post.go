package transport

import (
	"errors"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// receivePost reads a JSON body. No content type that an HTML form can send is taken,
// nor none at all: a page of another origin cannot post here unless CORS lets it.
func receivePost(r *http.Request, in *intake) ([]byte, *requestError) {
	if refusal := checkContent(r.Header); refusal != nil {
		return nil, refusal
	}
	return readBody(r, in)
}

func decodePost(r *http.Request, in *intake, body []byte) (*graphql.RawParams, *requestError) {
	if !in.expect(body) {
		return nil, &noRoom
	}
	var sent request
	if !decode(body, &sent) {
		return nil, badRequest(`The body is not a JSON object in UTF-8 such as {"query": "{ __typename }", "variables": {}}. Send one operation at a time.`)
	}
	return sent.params(r)
}

func checkContent(header http.Header) *requestError {
	mediaType, parameters, err := parseMediaType(header.Get("Content-Type"))
	switch {
	case err != nil || mediaType != mediaTypeJSON || len(header.Values("Content-Type")) > 1:
		return wrongMediaType("Send Content-Type: application/json.")
	case !isUTF8(parameters["charset"]):
		return wrongMediaType("Send the body in UTF-8.")
	}
	for _, encoding := range header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(encoding), "identity") {
			return wrongMediaType("Send the body without a Content-Encoding.")
		}
	}
	return nil
}

// readBody reads what [http.MaxBytesReader] lets through.
func readBody(r *http.Request, in *intake) ([]byte, *requestError) {
	body, err := in.receive(r.Body, r.ContentLength)
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, &tooLarge
	case errors.Is(err, errNoRoom):
		return nil, &noRoom
	case err != nil:
		return nil, &requestError{status: http.StatusRequestTimeout, code: codeBadRequest,
			message: "The body did not arrive whole and in time. Send it again.", header: [2]string{"Connection", "close"}}
	}
	return body, nil
}
