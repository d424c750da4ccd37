package upstream

import "jobgraph/upstream/keyedhash"

// tokenKey stands for a token wherever something is remembered under it. It tells
// tokens apart and means nothing outside this process.
type tokenKey = keyedhash.Sum
