/** A color of boxes and masks, with the text color that is most readable on it. */
export interface DrawingColor {
  /** R, G, B, 0 to 255. */
  readonly rgb: readonly [number, number, number];
  /** `#rrggbb`. */
  readonly css: string;
  /** Black or white, whichever contrasts more. */
  readonly ink: '#000000' | '#ffffff';
  /** Whether lines are dashed: all colors were used once. */
  readonly dashed: boolean;
}

/**
 * Okabe and Ito's palette (Color Universal Design, 2008) without its black, then four of Paul Tol's "muted": told apart
 * under the common kinds of color blindness. Neighbors in the list also differ in lightness.
 */
const COLORS = [
  '#d55e00',
  '#56b4e9',
  '#f0e442',
  '#cc79a7',
  '#009e73',
  '#0072b2',
  '#e69f00',
  '#332288',
  '#88ccee',
  '#882255',
  '#999933',
];

/** Color of boxes without a phrase. */
const NEUTRAL = '#bbbbbb';

const rgbOf = (css: string): [number, number, number] => [
  parseInt(css.slice(1, 3), 16),
  parseInt(css.slice(3, 5), 16),
  parseInt(css.slice(5, 7), 16),
];

/** Relative luminance, 0 to 1 (WCAG 2.1). */
const luminance = (rgb: readonly [number, number, number]): number => {
  const [r, g, b] = rgb.map((value) => {
    const fraction = value / 255;
    return fraction <= 0.03928 ? fraction / 12.92 : ((fraction + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

const colorOf = (css: string, dashed: boolean): DrawingColor => {
  const rgb = rgbOf(css);
  // Contrast (WCAG 2.1) is (L + 0.05) / (0 + 0.05) against black and (1 + 0.05) / (L + 0.05) against white.
  return { rgb, css, ink: (luminance(rgb) + 0.05) ** 2 > 1.05 * 0.05 ? '#000000' : '#ffffff', dashed };
};

/** Color of the i-th phrase. After the last color, the colors repeat with dashed lines. */
export const phraseColor = (index: number): DrawingColor =>
  colorOf(COLORS[index % COLORS.length]!, index >= COLORS.length);

/** Color of detections without a phrase. */
export const neutralColor: DrawingColor = colorOf(NEUTRAL, false);
