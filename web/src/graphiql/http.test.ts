import { afterEach, describe, expect, test, vi } from 'vitest'
import { post } from './http.ts'
import { sessionOfCookie, signIn, signOut } from './sign-in.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

/** Lets the server answer `response` and gives what it was asked. */
function answering(response: Response | Error) {
  const server = vi.fn<typeof fetch>(() =>
    response instanceof Error ? Promise.reject(response) : Promise.resolve(response),
  )
  vi.stubGlobal('fetch', server)
  return {
    headers: () => Object.fromEntries(server.mock.lastCall?.[1]?.headers as Headers),
    body: () => JSON.parse(server.mock.lastCall?.[1]?.body as string) as unknown,
    init: () => server.mock.lastCall?.[1],
    url: () => server.mock.lastCall?.[0],
  }
}

describe('post', () => {
  test('sends what the protocol and the protection against forged requests ask for', async () => {
    const server = answering(Response.json({ data: { a: 1 } }))

    expect(await post({ query: '{ a }', variables: { b: 2 } }, 'secret')).toEqual({ data: { a: 1 } })

    expect(server.url()).toBe('/graphql')
    expect(server.init()).toMatchObject({ method: 'POST', credentials: 'same-origin' })
    expect(server.body()).toEqual({ query: '{ a }', variables: { b: 2 } })
    expect(server.headers()).toEqual({
      accept: 'application/graphql-response+json',
      authorization: 'Bearer secret',
      'content-type': 'application/json',
      'x-bedside-csrf': '1',
    })
  })

  test('lets typed headers replace the token and nothing else', async () => {
    const server = answering(Response.json({ data: null }))

    await post({ query: '{ a }' }, 'secret', {
      Authorization: 'Key k',
      'X-Bedside-CSRF': '',
      Accept: '*/*',
      'x-a': 'b',
    })

    expect(server.headers()).toEqual({
      accept: 'application/graphql-response+json',
      authorization: 'Key k',
      'content-type': 'application/json',
      'x-a': 'b',
      'x-bedside-csrf': '1',
    })
  })

  test('gives the errors of a refused document as they are', async () => {
    const errors = [{ message: 'Syntax Error', extensions: { code: 'GRAPHQL_PARSE_FAILED' } }]
    answering(Response.json({ errors }, { status: 400 }))
    expect(await post({ query: '{' }, null)).toEqual({ errors })
  })

  test.each([
    [new Response('<h1>no</h1>', { status: 502, statusText: 'Bad Gateway' }), 'The server answered 502 Bad Gateway'],
    [Response.json(['data'], { status: 413 }), 'The server answered 413'],
    [new Error('connection refused'), 'The request did not get through: connection refused'],
  ])('makes an error of an answer that is no GraphQL', async (response, message) => {
    answering(response)
    expect(await post({ query: '{ a }' }, null)).toEqual({ errors: [{ message }] })
  })
})

describe('signing in', () => {
  test('sends e-mail and password as variables and keeps the token', async () => {
    const server = answering(Response.json({ data: { signIn: { token: 't' } } }))

    expect(await signIn('a@b.example', 'p"w')).toEqual({ by: 'form', email: 'a@b.example', token: 't' })

    const body = server.body() as { query: string; variables: unknown }
    expect(body.variables).toEqual({ email: 'a@b.example', password: 'p"w' })
    expect(body.query).not.toContain('a@b.example')
    expect(server.headers()).not.toHaveProperty('authorization')
  })

  test('says why it was refused', async () => {
    answering(Response.json({ data: { signIn: null }, errors: [{ message: 'Wrong password.' }] }))
    await expect(signIn('a@b.example', 'x')).rejects.toThrow('Wrong password.')
  })

  test('finds the session of a cookie, or none', async () => {
    answering(Response.json({ data: { viewer: { __typename: 'Viewer' } } }))
    expect(await sessionOfCookie()).toEqual({ by: 'cookie' })
    answering(Response.json({ data: { viewer: null }, errors: [{ message: 'Sign in first.' }] }))
    expect(await sessionOfCookie()).toBeNull()
  })
})

describe('signing out', () => {
  const session = { by: 'form', email: 'a@b.example', token: 't' } as const

  test('tells the server which token', async () => {
    const server = answering(Response.json({ data: { signOut: true } }))
    await signOut(session)
    expect(server.headers()).toHaveProperty('authorization', 'Bearer t')
    expect(server.body()).toEqual({ query: 'mutation SignOut { signOut }' })
  })

  test('does not claim success when the server was not reached', async () => {
    answering(new Error('offline'))
    await expect(signOut(session)).rejects.toThrow('Still signed in. The request did not get through: offline')
  })
})
