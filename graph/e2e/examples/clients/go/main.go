// A Go program that reads jobs from JobGraph with types made by genqlient: two by their
// ids, or with a number, all of the list in pages of so many.
//
//	curl -o schema.graphqls http://localhost:8080/schema.graphqls
//	go tool genqlient && go run . http://localhost:8080/graphql [JOBS OF A PAGE]
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/Khan/genqlient/graphql"
)

func main() {
	client := graphql.NewClient(os.Args[1], http.DefaultClient)
	if len(os.Args) > 2 {
		listAll(client, os.Args[2])
		return
	}
	answer, err := Jobs(context.Background(), client, []string{
		"d4fb871e07514304b23131b45f8caa1f",
		"00000000000000000000000000000000",
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range answer.Job {
		switch result := result.(type) {
		case *JobsJob:
			fmt.Println(result.Name, result.Status == JobStatusComplete, result.DueDate)
		case *JobsJobApiError:
			fmt.Println(result.JobId, result.Type, result.Retryable)
		}
	}
}
