package transport

import (
	"mime"
	"strconv"
	"strings"
)

const (
	mediaTypeGraphQL = "application/graphql-response+json"
	mediaTypeJSON    = "application/json"
)

// A preference is what Accept says of one media type.
type preference struct {
	weight float64
	// precise is 3 where the type was named, 2 for application/*, 1 for */*; 0: not at all.
	precise int
}

// negotiate chooses the answer's media type as RFC 9110, section 12.5.1, has it.
// application/graphql-response+json is chosen where it was named and nothing is
// liked better; whoever takes anything gets application/json, which every tool
// knows. Where nothing fits, the answer that says so is application/json.
func negotiate(accept []string) (mediaType string, acceptable bool) {
	ranges := strings.Join(accept, ",")
	if strings.TrimSpace(ranges) == "" {
		return mediaTypeJSON, true
	}
	var graphql, json preference
	for part := range strings.SplitSeq(ranges, ",") {
		name, weight, ok := parseRange(part)
		if !ok {
			continue
		}
		graphql = graphql.with(mediaTypeGraphQL, name, weight)
		json = json.with(mediaTypeJSON, name, weight)
	}
	switch {
	case graphql.weight > json.weight, graphql.weight > 0 && graphql.weight == json.weight && graphql.precise == 3:
		return mediaTypeGraphQL, true
	case json.weight > 0:
		return mediaTypeJSON, true
	default:
		return mediaTypeJSON, false
	}
}

func (p preference) with(mediaType, name string, weight float64) preference {
	precise := 0
	switch name {
	case mediaType:
		precise = 3
	case "application/*":
		precise = 2
	case "*/*":
		precise = 1
	}
	if precise > p.precise || precise == p.precise && precise > 0 && weight > p.weight {
		return preference{weight, precise}
	}
	return p
}

// parseRange reads one media range. One that wants another charset than UTF-8, or
// makes no sense, is not ok.
func parseRange(text string) (name string, weight float64, ok bool) {
	name, parameters, err := parseMediaType(text)
	if err != nil || !isUTF8(parameters["charset"]) {
		return "", 0, false
	}
	weight, ok = weightOf(parameters)
	return name, weight, ok
}

// weightOf is the q among a media range's parameters: 0 is what is not wanted.
func weightOf(parameters map[string]string) (weight float64, ok bool) {
	q, given := parameters["q"]
	if !given {
		return 1, true
	}
	weight, err := strconv.ParseFloat(q, 64)
	if err != nil || !(weight >= 0 && weight <= 1) {
		return 0, false
	}
	return weight, true
}

// parseMediaType is mime's, which makes a map of no parameters as well: nearly all have none.
func parseMediaType(text string) (mediaType string, parameters map[string]string, err error) {
	if text == mediaTypeJSON {
		return text, nil, nil
	}
	return mime.ParseMediaType(text)
}

func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
