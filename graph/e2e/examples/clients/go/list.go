package main

import (
	"context"
	"fmt"
	"log"
	"strconv"

	"github.com/Khan/genqlient/graphql"
)

// listAll prints the ids of all jobs, the newest first, and at last how many pages they had.
func listAll(client graphql.Client, first string) {
	size, err := strconv.Atoi(first)
	if err != nil {
		log.Fatal(err)
	}
	var after *string
	for pages := 1; ; pages++ {
		answer, err := List(context.Background(), client, size, after)
		if err != nil {
			log.Fatal(err)
		}
		for _, job := range answer.Jobs.Nodes {
			fmt.Println(job.Id)
		}
		if !answer.Jobs.PageInfo.HasNextPage {
			fmt.Println(pages)
			return
		}
		after = &answer.Jobs.PageInfo.EndCursor
	}
}
