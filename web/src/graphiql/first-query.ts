/** What the editor shows to begin with. */
export const FIRST_QUERY = `# Welcome to Bedside's API.
#
# Sign in above, then run this with the
# pink button or Ctrl-Enter. Ctrl-Space
# completes, the book opens the reference.
#
# To be two people at once, sign in again
# in a second tab. What you type is gone
# when you sign out or close the page.

query Welcome {
  viewer {
    id
  }
  practice {
    id
  }
  plugins {
    name
    status
    reason
  }
}
`
