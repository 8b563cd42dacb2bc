// Numbers as Python rounds and writes them.

/** Half goes to the even neighbour. */
export function roundEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest < 0.5 ? floor : rest > 0.5 ? floor + 1 : floor % 2 ? floor + 1 : floor;
}

/** Rounded to so many decimals. */
export const rounded = (value, decimals) => roundEven(value * 10 ** decimals) / 10 ** decimals;

/** A sentence with its values filled in: `{age:.0f}`, `{share:.1%}`, `{name}`. */
export function filled(template, values) {
  return template.replace(/\{(\w+)(?::\.(\d)([f%]))?\}/g, (_, name, decimals, kind) => {
    const value = values[name];
    if (decimals === undefined) return String(value);
    return kind === "%"
      ? `${rounded(100 * value, +decimals).toFixed(+decimals)}%`
      : rounded(value, +decimals).toFixed(+decimals);
  });
}

export const logit = (share) => {
  const clipped = Math.min(Math.max(share, 1e-7), 1 - 1e-7);
  return Math.log(clipped / (1 - clipped));
};

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
export const clip = (value, low, high) => Math.min(Math.max(value, low), high);

/** "male" below the first threshold, "female" above the second, else "uncertain". */
export const decide = (female, { male_below, female_above }) =>
  female < male_below ? "male" : female > female_above ? "female" : "uncertain";
