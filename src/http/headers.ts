/**
 * What every answer carries: it is data for a program, never a page, and never kept by a cache. The documentation
 * pages replace the content policy with their own.
 */
export const STATIC_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const
