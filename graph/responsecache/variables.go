package responsecache

import "encoding/json"

// encodeVariables writes the variables in one way only: objects in the order of their
// names, numbers as they were sent, so that 1 is not "1".
func encodeVariables(variables map[string]any) (string, error) {
	if len(variables) == 0 {
		return "", nil
	}
	text, err := json.Marshal(variables)
	return string(text), err
}
