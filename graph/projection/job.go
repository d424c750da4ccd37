package projection

import "jobgraph/upstream"

// The schema's object types that hold data, field for field.

var job = object{
	name:       "Job",
	conditions: []string{"Job", "JobResult", "_Entity"},
	fields: map[string]field{
		"id":                 {n: upstream.FieldID},
		"name":               {n: upstream.FieldName},
		"mediaLengthSeconds": {n: upstream.FieldMediaLengthSeconds},
		"externalId":         {n: upstream.FieldExternalID},
		"priority":           {n: upstream.FieldPriority},
		"fidelity":           {n: upstream.FieldFidelity},
		"status":             {n: upstream.FieldStatus},
		"difficulty":         {n: upstream.FieldDifficulty},
		"sourceLanguage":     {n: upstream.FieldSourceLanguage},
		"targetLanguage":     {n: upstream.FieldTargetLanguage},
		"creationDate":       {n: upstream.FieldCreationDate},
		"authorizationDate":  {n: upstream.FieldAuthorizationDate},
		"startDate":          {n: upstream.FieldStartDate},
		"dueDate":            {n: upstream.FieldDueDate},
		"completedDate":      {n: upstream.FieldCompletedDate},
		"returnDate":         {n: upstream.FieldReturnDate},
		"returnTargets":      {n: upstream.FieldReturnTargets, entries: &returnTarget},
		"options":            {n: upstream.FieldOptions, entries: &jobOption},
	},
}

var returnTarget = object{
	name:       "ReturnTarget",
	conditions: []string{"ReturnTarget"},
	fields: map[string]field{
		"kind":        {n: upstream.TargetKind},
		"callbackUrl": {n: upstream.TargetCallbackURL},
		"settings":    {n: upstream.TargetSettings},
	},
}

var jobOption = object{
	name:       "JobOption",
	conditions: []string{"JobOption"},
	fields: map[string]field{
		"name":  {n: upstream.OptionName},
		"value": {n: upstream.OptionValue},
	},
}

var apiError = object{
	name:       "ApiError",
	conditions: []string{"ApiError", "JobResult"},
	fields: map[string]field{
		"type":              {n: upstream.ErrorFieldType},
		"comment":           {n: upstream.ErrorFieldComment},
		"jobId":             {n: upstream.ErrorFieldJobID},
		"upstreamType":      {n: upstream.ErrorFieldUpstreamType},
		"retryable":         {n: upstream.ErrorFieldRetryable},
		"retryAfterSeconds": {n: upstream.ErrorFieldRetryAfterSeconds},
	},
}
