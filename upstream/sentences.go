package upstream

// sentences say in our own words what the job API means by each type of error, for
// where its own words are missing or cannot be shown.
var sentences = map[ErrorType]string{
	LoginInvalid:        "The job API does not accept the login. Check the name and the password or key.",
	AccountExists:       "The job API has an account of this name already. Choose another name.",
	AccountUnprivileged: "The job API does not let this account do this. Ask with another account's token.",
	BadAPIToken:         "The job API does not accept the token. Log in again for a new one.",
	InvalidQuery:        "The job API does not accept the request. Check the job's id.",
	InvalidOption:       "The job API does not accept an option of the request. Check the job's options.",
	MissingParameter:    "The job API misses a parameter of the request. Tell the operator of this server.",
	InvalidURL:          "The job API does not accept an address. Check the job's media and callback addresses.",
	ItemNotFound:        "The job API has no such job. Check the id, and that the token is of the job's account.",
	Unrecognized:        "The job API refused this job for a reason that this server does not know. Look at upstreamType.",
}

// listSentences are those for lists, where they differ.
var listSentences = map[ErrorType]string{
	InvalidQuery:  "The job API does not accept the request. Check the filter.",
	InvalidOption: "The job API does not accept an option of the request. Check the filter.",
	ItemNotFound:  "The job API does not know what the filter names. Check its username and externalId.",
	Unrecognized:  "The job API refused this list of jobs for a reason that this server does not know. Look at its log.",
}

func sentenceOf(errorType ErrorType, id string) string {
	if sentence, ok := listSentences[errorType]; ok && id == "" {
		return sentence
	}
	return sentences[errorType]
}
