import type { FormattedExecutionResult } from 'graphql-ws'

/** What GraphQL over HTTP and graphql-transport-ws both take. */
export interface Operation {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
}

export type Result = FormattedExecutionResult<Record<string, unknown>, unknown>

/**
 * Sends one query or mutation to the server that this page came from.
 *
 * Never throws: what went wrong on the way comes back as a GraphQL error, so there is one place to look for it.
 *
 * @param token bearer token, or null to send none
 * @param extra further headers, as typed into GraphiQL; they may replace the token (to try an API key, say) but not
 *   the headers that the protocol and the server's protection against forged requests ask for
 */
export async function post(
  operation: Operation,
  token: string | null,
  extra: Record<string, string> = {},
): Promise<Result> {
  try {
    const headers = new Headers(token === null ? {} : { authorization: `Bearer ${token}` })
    for (const [name, value] of Object.entries(extra)) headers.set(name, value)
    headers.set('content-type', 'application/json')
    headers.set('accept', 'application/graphql-response+json')
    headers.set('x-bedside-csrf', '1')
    const response = await fetch('/graphql', {
      method: 'POST',
      credentials: 'same-origin',
      headers,
      body: JSON.stringify(operation),
    })
    return await read(response)
  } catch (error) {
    return failure(`The request did not get through: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function read(response: Response): Promise<Result> {
  const text = await response.text()
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && ('data' in body || 'errors' in body)) return body as Result
  } catch {
    // Not JSON: an error page of something between here and the server. Its status says more than its text.
  }
  return failure(`The server answered ${String(response.status)} ${response.statusText}`.trimEnd())
}

function failure(message: string): Result {
  return { errors: [{ message }] }
}
