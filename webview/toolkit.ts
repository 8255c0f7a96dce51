// The only file that knows the toolkit. Others ask it for a button or a switch; replacing the toolkit means rewriting this file.
import {
  type Button,
  type Checkbox,
  type Panels,
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeProgressRing,
} from '@vscode/webview-ui-toolkit';
import { setAttributes, setText } from './elements.ts';
import { type IconName, icon } from './icons.ts';

// No badge and no ring with a value: their templates set a style attribute, which the page's policy forbids.
provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodePanels(),
  vsCodePanelTab(),
  vsCodePanelView(),
  vsCodeProgressRing(),
);

export function textButton(label: string, kind: 'primary' | 'secondary', press: () => void): HTMLElement {
  const button = document.createElement('vscode-button') as Button;
  setAttributes(button, { appearance: kind });
  setText(button, label);
  button.addEventListener('click', press);
  return button;
}

export function iconButton(label: string, name: IconName, press: (event: Event) => void): HTMLElement {
  const button = document.createElement('vscode-button') as Button;
  relabel(button, label);
  setAttributes(button, { appearance: 'icon' });
  button.append(icon(name));
  button.addEventListener('click', press);
  return button;
}

/** Gives an icon button another meaning in place, so that the focus stays on it. */
export function changeIconButton(button: HTMLElement, label: string, name: IconName): void {
  relabel(button, label);
  if (!button.querySelector(`.icon-${name}`)) button.replaceChildren(icon(name));
}

export function setDisabled(button: HTMLElement, disabled: boolean): void {
  (button as Button).disabled = disabled;
}

export interface Switch {
  element: HTMLElement;
  show(on: boolean): void;
}

export function switchBox(label: string, title: string, turn: (on: boolean) => void): Switch {
  const box = document.createElement('vscode-checkbox') as Checkbox;
  setText(box, label);
  box.title = title;
  let shown = false;
  box.addEventListener('change', () => {
    // The toolkit also reports changes that the page itself made.
    if (box.checked === shown) return;
    shown = box.checked;
    turn(shown);
  });
  return {
    element: box,
    show(on) {
      shown = on;
      box.checked = on;
    },
  };
}

export interface Tab<Id extends string> {
  id: Id;
  label: string;
  content: HTMLElement;
}

export interface Tabs<Id extends string> {
  element: HTMLElement;
  show(id: Id): void;
  relabel(id: Id, label: string): void;
}

export function tabs<Id extends string>(parts: Tab<Id>[], active: Id, changed: (id: Id) => void): Tabs<Id> {
  const panels = document.createElement('vscode-panels') as Panels;
  const labels = new Map<string, HTMLElement>();
  for (const { id, label } of parts) {
    const tab = document.createElement('vscode-panel-tab');
    tab.id = `tab-${id}`;
    setText(tab, label);
    labels.set(id, tab);
    panels.append(tab);
  }
  for (const { id, content } of parts) {
    const view = document.createElement('vscode-panel-view');
    view.id = `view-${id}`;
    view.append(content);
    panels.append(view);
  }
  setAttributes(panels, { activeid: `tab-${active}`, 'aria-label': 'LIFT' });
  panels.addEventListener('change', () => {
    const part = parts.find(({ id }) => panels.activeid === `tab-${id}`);
    if (part) changed(part.id);
  });
  return {
    element: panels,
    show: (id) => {
      panels.activeid = `tab-${id}`;
    },
    relabel: (id, label) => {
      const tab = labels.get(id)!;
      setText(tab, label);
      // The toolkit names a tab once, by the text that it began with.
      setAttributes(tab, { 'aria-label': label });
    },
  };
}

export function busyRing(): HTMLElement {
  const ring = document.createElement('vscode-progress-ring');
  ring.setAttribute('aria-hidden', 'true');
  return ring;
}

function relabel(button: HTMLElement, label: string): void {
  setAttributes(button, { 'aria-label': label, title: label });
}
