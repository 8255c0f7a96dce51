// The patterns in which manifests name the folders of a workspace's packages.

/**
 * Whether a '/'-separated path matches: `*` stands for any part of a name, `**` for any number of folders, `?` for a character,
 * `{a,b}` for either. The time grows with the product of both lengths at most, whatever a repository's pattern holds.
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  const alternatives = expandBraces(pattern).map((one) => one.split('/').filter((name) => name !== '' && name !== '.'));
  return (path) => {
    const names = path.split('/');
    return alternatives.some((parts) => matches(parts, names, (part) => part === '**', nameMatches));
  };
}

const mostAlternatives = 100;

/** `{a,b}/*` as `a/*` and `b/*`; what would become too many stays as it is and matches nothing. */
function expandBraces(pattern: string): string[] {
  let expanded = [pattern];
  for (;;) {
    const next = expanded.flatMap((one) => {
      const [whole, inner] = /\{([^{}]*)\}/.exec(one) ?? [];
      return whole === undefined ? [one] : inner!.split(',').map((choice) => one.replace(whole, () => choice));
    });
    if (next.length > mostAlternatives) return expanded;
    if (next.every((one, index) => one === expanded[index])) return next;
    expanded = next;
  }
}

function nameMatches(part: string, name: string): boolean {
  return matches(
    [...part],
    [...name],
    (character) => character === '*',
    (character, other) => character === '?' || character === other,
  );
}

/** Whether items match a pattern in which a star stands for any number of them: the last star takes one more at a time. */
function matches<P, T>(
  pattern: readonly P[],
  items: readonly T[],
  isStar: (part: P) => boolean,
  isMatch: (part: P, item: T) => boolean,
): boolean {
  let at = 0;
  let star = -1;
  let taken = 0;
  for (let item = 0; item < items.length; ) {
    const part = pattern[at];
    if (part !== undefined && isStar(part)) {
      star = at;
      taken = item;
      at += 1;
    } else if (part !== undefined && isMatch(part, items[item]!)) {
      at += 1;
      item += 1;
    } else if (star >= 0) {
      taken += 1;
      item = taken;
      at = star + 1;
    } else return false;
  }
  return pattern.slice(at).every(isStar);
}
