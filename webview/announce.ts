// What a screen reader is told: changes of state and finished answers, never single tokens.
import { element } from './elements.ts';

const region = element('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });

export function announcementRegion(): HTMLElement {
  return region;
}

export function announce(text: string): void {
  // The same words twice in a row would not be read again without a change between them.
  region.textContent = '';
  region.textContent = text;
}
