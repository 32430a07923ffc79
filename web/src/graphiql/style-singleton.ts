import { useEffect } from 'react'

/**
 * Stands in for the package `react-style-singleton`, with which GraphiQL's dialogs keep the page behind from scrolling.
 * The package inserts a `<style>` element, which `style-src 'self'` refuses; a constructed sheet is allowed.
 */
export function styleSingleton(): (props: { styles: string }) => null {
  const sheet = new CSSStyleSheet()
  let users = 0

  return function Sheet({ styles }) {
    useEffect(() => {
      sheet.replaceSync(styles)
      if (users++ === 0) document.adoptedStyleSheets.push(sheet)
      return () => {
        if (--users === 0) document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet)
      }
    }, [styles])
    return null
  }
}
