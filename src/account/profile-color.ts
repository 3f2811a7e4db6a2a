/** Red, green, blue and opacity, each from 0 to 1. */
export type Color = { r: number; g: number; b: number; a: number }

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2
/** Three rings of the same hues; neighbours by id stand in different ones. */
const SHADES = [
  { saturation: 1, lightness: 0.5 },
  { saturation: 0.75, lightness: 0.35 },
  { saturation: 0.9, lightness: 0.7 },
]
const DECIMALS = 10_000

/**
 * The color of a user who has chosen none: the same one each time, and well apart from those of the users before. Each
 * id turns the hue by the golden ratio of a circle, which leaves the widest gaps whatever the number of users.
 */
export function colorForUser(id: number): Color {
  const turn = id * GOLDEN_RATIO
  const { saturation, lightness } = SHADES[Math.abs(id) % SHADES.length] ?? { saturation: 1, lightness: 0.5 }
  return kept(fromHue(turn - Math.floor(turn), saturation, lightness))
}

/** As the database can keep it: four decimals of each part. */
export const kept = ({ r, g, b, a }: Color): Color => ({
  r: rounded(r),
  g: rounded(g),
  b: rounded(b),
  a: rounded(a),
})

const rounded = (part: number) => Math.round(part * DECIMALS) / DECIMALS

/** HSL to RGB; `hue` is a part of the circle. */
function fromHue(hue: number, saturation: number, lightness: number): Color {
  const reach = saturation * Math.min(lightness, 1 - lightness)
  const part = (offset: number) => {
    const place = (offset + hue * 12) % 12
    return lightness - reach * Math.max(-1, Math.min(place - 3, 9 - place, 1))
  }
  return { r: part(0), g: part(8), b: part(4), a: 1 }
}
