export const bundleFile: string;
/** Every text that the extension shows by `l10n.t`, sorted. */
export function collectTexts(): string[];
