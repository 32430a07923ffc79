import { post } from './http.ts'

const SIGN_IN =
  'mutation SignIn($email: String!, $password: String!) { signIn(email: $email, password: $password) { token } }'
const SIGN_OUT = 'mutation SignOut { signOut }'
const WHO = 'query Who { viewer { __typename } }'

/** Who this page speaks for. The token of a form's sign-in lives in this object only; a cookie's is out of reach. */
export type Session = { by: 'form'; email: string; token: string } | { by: 'cookie' }

/** @throws Error with the server's own words when it refuses */
export async function signIn(email: string, password: string): Promise<Session> {
  const { data, errors } = await post({ query: SIGN_IN, variables: { email, password } }, null)
  const answer = data?.['signIn']
  if (typeof answer === 'object' && answer !== null && 'token' in answer && typeof answer.token === 'string') {
    return { by: 'form', email, token: answer.token }
  }
  throw new Error(errors?.[0]?.message ?? 'The server gave no token.')
}

/** @throws Error when the server did not do it, so that the token is still good for what it knows */
export async function signOut(session: Session): Promise<void> {
  const { errors } = await post({ query: SIGN_OUT }, tokenOf(session))
  if (errors !== undefined) throw new Error(`Still signed in. ${errors[0]?.message ?? ''}`.trimEnd())
}

/** The session of a cookie that the browser already has, or null. The page cannot read it, only ask the server. */
export async function sessionOfCookie(): Promise<Session | null> {
  const { data } = await post({ query: WHO }, null)
  return data?.['viewer'] ? { by: 'cookie' } : null
}

export function tokenOf(session: Session | null): string | null {
  return session?.by === 'form' ? session.token : null
}
