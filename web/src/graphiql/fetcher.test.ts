import { parse } from 'graphql'
import type { Client, Sink } from 'graphql-ws'
import { afterEach, expect, test, vi } from 'vitest'
import { createFetcher, describe, socketAddress } from './fetcher.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

function fakeSocket() {
  const left = vi.fn()
  const subscribe = vi.fn<(operation: unknown, sink: Sink) => typeof left>(() => left)
  return { left, subscribe, client: { subscribe } as unknown as Pick<Client, 'subscribe'> }
}

const query = 'query Q { a } subscription S { b }'
const documentAST = parse(query)

test('sends the chosen subscription over the socket and passes on what comes', () => {
  const socket = fakeSocket()
  const observer = { next: vi.fn(), error: vi.fn(), complete: vi.fn() }

  const answer = createFetcher('t', socket.client)({ query, operationName: 'S' }, { documentAST })
  if (!('subscribe' in answer)) throw new Error('no observable')
  const subscription = answer.subscribe(observer)
  const sink = socket.subscribe.mock.lastCall?.[1]
  sink?.next({ data: { b: 1 } })
  sink?.complete()

  expect(socket.subscribe.mock.lastCall?.[0]).toEqual({ query, operationName: 'S' })
  expect(observer.next.mock.calls).toEqual([[{ data: { b: 1 } }]])
  expect(observer.complete).toHaveBeenCalledOnce()
  expect(socket.left).not.toHaveBeenCalled()
  subscription.unsubscribe()
  expect(socket.left).toHaveBeenCalledOnce()
})

test('sends the chosen query of the same document over HTTP', async () => {
  const socket = fakeSocket()
  const server = vi.fn<typeof fetch>(() => Promise.resolve(Response.json({ data: { a: 1 } })))
  vi.stubGlobal('fetch', server)

  const answer = await createFetcher('t', socket.client)({ query, operationName: 'Q' }, { documentAST })

  expect(answer).toEqual({ data: { a: 1 } })
  expect(server).toHaveBeenCalledOnce()
  expect(socket.subscribe).not.toHaveBeenCalled()
})

test('shows the code and reason with which the server closed the socket', () => {
  expect(describe({ code: 4403, reason: 'Forbidden' })).toEqual({ message: 'The socket was closed: 4403 Forbidden' })
  expect(describe({ code: 1006, reason: '' })).toEqual({ message: 'The socket was closed: 1006' })
})

test('shows GraphQL errors as they came', () => {
  const errors = [{ message: 'no', extensions: { code: 'FEATURE_NOT_IN_PLAN' } }]
  expect(describe(errors)).toBe(errors)
})

test('connects to the server of the page, in clear only where the page is', () => {
  expect(socketAddress({ protocol: 'https:', host: 'a.example' })).toBe('wss://a.example/graphql')
  expect(socketAddress({ protocol: 'http:', host: '127.0.0.1:8000' })).toBe('ws://127.0.0.1:8000/graphql')
})
