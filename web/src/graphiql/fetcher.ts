import { type DocumentNode, getOperationAST, OperationTypeNode } from 'graphql'
import { type Client, createClient } from 'graphql-ws'
import { type Operation, post, type Result } from './http.ts'

interface Options {
  headers?: Record<string, string>
  documentAST?: DocumentNode
}

interface Observer {
  next: (result: Result) => void
  error: (cause: unknown) => void
  complete: () => void
}

/** An observable and not an async iterable: leaving an async generator waits for its next value, which may not come. */
interface Subscription {
  subscribe: (observer: Observer) => { unsubscribe: () => void }
}

/** A socket client for one session. It connects with the first subscription; `dispose()` closes it. */
export function connect(token: string | null): Client {
  return createClient({
    url: socketAddress(location),
    ...(token !== null && { connectionParams: { authorization: `Bearer ${token}` } }),
    // A retried subscription would replay from the cursor in its document and show messages twice.
    retryAttempts: 0,
  })
}

export function socketAddress({ protocol, host }: Pick<Location, 'protocol' | 'host'>): string {
  return `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/graphql`
}

/** What GraphiQL runs operations with: subscriptions over `socket`, everything else over HTTP. */
export function createFetcher(token: string | null, socket: Pick<Client, 'subscribe'>) {
  return (operation: Operation, options?: Options): Promise<Result> | Subscription => {
    if (isSubscription(options?.documentAST, operation.operationName)) return subscribe(operation, socket)
    return post(operation, token, options?.headers)
  }
}

function isSubscription(document: DocumentNode | undefined, name: string | null | undefined): boolean {
  return document !== undefined && getOperationAST(document, name)?.operation === OperationTypeNode.SUBSCRIPTION
}

function subscribe(operation: Operation, socket: Pick<Client, 'subscribe'>): Subscription {
  return {
    subscribe: (observer) => ({
      unsubscribe: socket.subscribe(operation, {
        next: (result) => {
          observer.next(result)
        },
        error: (cause) => {
          observer.error(describe(cause))
        },
        complete: () => {
          observer.complete()
        },
      }),
    }),
  }
}

/** Turns what graphql-ws reports (an error, a close event, or a list of GraphQL errors) into what GraphiQL can show. */
export function describe(cause: unknown): unknown {
  if (typeof cause === 'object' && cause !== null && 'code' in cause && 'reason' in cause) {
    return { message: `The socket was closed: ${String(cause.code)} ${String(cause.reason)}`.trimEnd() }
  }
  return cause
}
