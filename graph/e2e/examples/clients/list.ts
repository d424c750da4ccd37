// The operation of both TypeScript clients that page through the list.
import { graphql } from './generated/index.js';

export const List = graphql(`
  query List($first: Int, $after: String) {
    jobs(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          name
          status
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

// The jobs of a page: as many as the server allows, for who wants all of them.
export const first = Number(process.argv[3] ?? 100);
