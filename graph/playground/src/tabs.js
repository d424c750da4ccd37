// The tabs that open on a first visit. Each runs as it is on the embedded sandbox.
// To add one, write its operation and name it, with its variables, in the list at the end.
// The operation's name becomes the tab's title.

const documented = 'd4fb871e07514304b23131b45f8caa1f';
const missing = '00000000000000000000000000000000';
const inProcess = '10000000000000000000000000000003';
const moving = '30000000000000000000000000000001';
const mediaFailure = '10000000000000000000000000000005';

const jobs = `# Jobs: several at once. Press play, or Ctrl-Enter.
# One answer for each id below, in the same order.
# A job that does not exist is an ApiError in its place;
# the others are served.
#
# The sandbox needs no token. For another job API, open
# Headers below: {"Authorization": "Bearer HEX"}

query Jobs($ids: [ID!]!) {
  job(ids: $ids) {
    __typename
    ... on Job {
      id
      name
      status
      priority
      fidelity
      mediaLengthSeconds
      creationDate
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
`;

const list = `# List: the account's jobs, newest first, in pages. For the
# next page, put endCursor as "after" among the variables.
# Everything in the filter must fit; {} is all jobs.

query List($filter: JobFilter, $first: Int, $after: String) {
  jobs(filter: $filter, first: $first, after: $after) {
    nodes {
      id
      name
      status
      creationDate
      dueDate
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;

const live = `# Live: a job that moves. Press play, and watch its status
# change by itself until the job has settled. The sandbox's
# job goes through its life in 30 seconds, then anew.

subscription Live($ids: [ID!]!) {
  jobUpdated(ids: $ids) {
    ... on Job {
      id
      status
      startDate
      completedDate
      returnDate
    }
    ... on ApiError {
      jobId
      comment
      retryable
    }
  }
}
`;

const federation = `# Federation: jobs by reference, as a gateway asks.
# Another subgraph knows only a job's id, and this one
# fills in the rest. A job that does not exist is null.

query Federation($representations: [_Any!]!) {
  _entities(representations: $representations) {
    ... on Job {
      id
      name
      status
      dueDate
    }
  }
}
`;

export const tabs = [
  tab(jobs, { ids: [documented, missing, inProcess, mediaFailure] }),
  tab(list, { filter: { name: 'lecture_*' }, first: 2 }),
  tab(live, { ids: [moving] }),
  tab(federation, { representations: [reference(documented), reference(missing)] }),
];

function tab(query, variables) {
  return { query, variables: JSON.stringify(variables, null, 2) };
}

function reference(id) {
  return { __typename: 'Job', id };
}
