// Makes elements by DOM calls, never from strings. Text is set as text, so that nothing in it can become an element.
import { visibleControls } from './visible-controls.ts';

export type Attributes = Record<string, string | number | boolean | undefined>;
export type Child = Node | string | null;

/** `true` sets an empty attribute; `false` and `undefined` set none. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  setAttributes(made, attributes);
  append(made, children);
  return made;
}

export function svgElement<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  setAttributes(made, attributes);
  append(made, children);
  return made;
}

/** A link that the page handles itself. It has no address, so that a click can go nowhere else. */
export function linkElement(text: string, title: string, open: () => void): HTMLElement {
  const link = element('a', { class: 'link', role: 'link', tabindex: 0, title: visibleControls(title) }, text);
  link.addEventListener('click', (event) => {
    event.preventDefault();
    event.stopPropagation();
    open();
  });
  link.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    event.stopPropagation();
    open();
  });
  return link;
}

/** Sets the text only where it differs, so that a selection in it stays. */
export function setText(target: Element, text: string): void {
  const shown = visibleControls(text);
  if (target.textContent !== shown) target.textContent = shown;
}

export function setAttributes(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? '' : String(value));
  }
}

function append(target: Element, children: Child[]): void {
  for (const child of children) {
    if (child !== null) target.append(typeof child === 'string' ? visibleControls(child) : child);
  }
}
