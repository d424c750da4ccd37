package upstream

// maxHex is the longest token or id that is taken for one. Real ones have 32 digits.
const maxHex = 256

// check refuses what cannot be a token or an id, so that it never leaves the process.
func check(token, id string) error {
	switch {
	case !isHex(id):
		return &Error{Type: InvalidQuery, JobID: id,
			Comment: "A job id has 1 to 256 hexadecimal digits. Check the id."}
	default:
		return checkToken(token, id)
	}
}

// checkToken is nil where the token can be one.
func checkToken(token, id string) error {
	switch {
	case token == "":
		return &Error{Type: BadAPIToken, JobID: id,
			Comment: "The request has no API token. Send one as Authorization: Bearer HEX."}
	case !isHex(token):
		return &Error{Type: BadAPIToken, JobID: id,
			Comment: "An API token has 1 to 256 hexadecimal digits. Send a valid one as Authorization: Bearer HEX."}
	}
	return nil
}

// IsToken says whether the text can be an API token.
func IsToken(text string) bool { return isHex(text) }

func isHex(s string) bool {
	if s == "" || len(s) > maxHex {
		return false
	}
	for _, c := range []byte(s) {
		if !isHexDigit(c) {
			return false
		}
	}
	return true
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Check refuses what cannot be a token or an id, so that it never leaves the process.
func (r Request) Check() error { return check(r.Token, r.Key.ID) }
