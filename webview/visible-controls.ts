// Unicode has characters that reorder the text around them, with which a line can be made to read as what it is not. Answers,
// questions and paths show them by name. The harmless marks of right-to-left languages stay as they are.

const reorderingCharacters = /[\u202A-\u202E\u2066-\u2069]/g;

export function visibleControls(text: string): string {
  return text.replace(reorderingCharacters, (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase()}⟩`);
}

export function showControls(root: Node): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode() as Text | null; node !== null; node = walker.nextNode() as Text | null) {
    const shown = visibleControls(node.data);
    if (shown !== node.data) node.data = shown;
  }
}
