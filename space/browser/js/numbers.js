// Numbers as Python rounds and writes them.

/** Half goes to the even neighbour. */
export function roundEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest < 0.5 ? floor : rest > 0.5 ? floor + 1 : floor % 2 ? floor + 1 : floor;
}

/** A number with so many decimals: exactly half way it goes to the even neighbour, where `toFixed` goes away from 0. */
export function written(value, decimals) {
  const exact = value.toFixed(60); // all digits of a double
  const end = exact.indexOf(".") + 1 + decimals;
  const isHalf = /^50*$/.test(exact.slice(end));
  const lower = exact.slice(0, decimals ? end : end - 1);
  return isHalf && Number(lower.at(-1)) % 2 === 0 ? lower : value.toFixed(decimals);
}

/** Rounded to so many decimals. */
export const rounded = (value, decimals) => Number(written(value, decimals));

/** A sentence with its values filled in: `{age:.0f}`, `{share:.1%}`, `{name}`. */
export function filled(template, values) {
  return template.replace(/\{(\w+)(?::\.(\d)([f%]))?\}/g, (_, name, decimals, kind) => {
    const value = values[name];
    if (decimals === undefined) return String(value);
    return kind === "%" ? `${written(100 * value, +decimals)}%` : written(value, +decimals);
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
