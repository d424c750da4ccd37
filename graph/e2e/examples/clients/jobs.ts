// The operations of both TypeScript clients.
import { graphql } from './generated/index.js';

export const Jobs = graphql(`
  query Jobs($ids: [ID!]!) {
    job(ids: $ids) {
      __typename
      ... on Job {
        id
        name
        status
        dueDate
        returnTargets {
          kind
          callbackUrl
        }
      }
      ... on ApiError {
        jobId
        type
        comment
        retryable
      }
    }
  }
`);

export const OneJob = graphql(`
  query OneJob($id: ID!) {
    jobById(id: $id) {
      __typename
      ... on Job {
        id
        name
        status
      }
      ... on ApiError {
        jobId
        type
      }
    }
  }
`);

// The documented job, and one that does not exist.
export const ids = ['d4fb871e07514304b23131b45f8caa1f', '00000000000000000000000000000000'];
