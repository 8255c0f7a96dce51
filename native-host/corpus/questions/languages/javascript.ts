// JavaScript and TypeScript: ES modules, CommonJS, classes, prototypes, declaration files.
import { commentBefore } from '../comments.ts';
import type { SyntaxNode } from '../parse.ts';
import type { CodeSymbol, Import, ReadSymbols } from '../symbols.ts';
import {
  callOf,
  frozenObject,
  functionTypes,
  heritageOf,
  literalOf,
  parametersOf,
  requiredModule,
  returnTypeOf,
  wrappedBody,
} from './javascript-nodes.ts';
import { callsBelow, oneLine, symbolFrom, unquoted } from './reading.ts';

export function readJavaScriptSymbols(root: SyntaxNode, path: string): ReadSymbols {
  const reader = new JavaScriptReader(/\.d\.[cm]?ts$/.test(path));
  reader.readBody(root.children);
  return { symbols: reader.symbols, imports: reader.imports };
}

class JavaScriptReader {
  readonly symbols: CodeSymbol[] = [];
  readonly imports: Import[] = [];

  constructor(private readonly declarationFile: boolean) {}

  readBody(statements: readonly SyntaxNode[]): void {
    statements.forEach((statement, index) => {
      this.readStatement(statement, commentBefore(statements, index));
    });
  }

  private readStatement(node: SyntaxNode, doc: string | null): void {
    switch (node.type) {
      case 'export_statement':
      case 'ambient_declaration':
        this.readExport(node, doc);
        break;
      case 'import_statement':
        this.readImport(node);
        break;
      case 'function_declaration':
      case 'generator_function_declaration':
      case 'function_signature':
        this.addFunction(node, node, node.child('name')?.text, doc);
        break;
      case 'class_declaration':
      case 'abstract_class_declaration':
        this.addClass(node, node.child('name')?.text, doc);
        break;
      case 'interface_declaration':
        this.addInterface(node, doc);
        break;
      case 'type_alias_declaration':
        this.symbols.push(symbolFrom(node, node.textOf('name'), 'type', { doc }));
        break;
      case 'enum_declaration':
        this.addEnum(node, doc);
        break;
      case 'lexical_declaration':
      case 'variable_declaration':
        this.addVariables(node, doc);
        break;
      case 'expression_statement':
        this.readExpression(node, doc);
        break;
      case 'internal_module':
      case 'module':
        this.readBody(node.child('body')?.children ?? []);
        break;
    }
  }

  private readExport(node: SyntaxNode, doc: string | null): void {
    const source = node.child('source');
    if (source) {
      const names =
        node
          .firstOfType('export_clause')
          ?.children.map((one) => (one.child('alias') ?? one.child('name'))?.text ?? '') ?? [];
      this.imports.push({ module: unquoted(source.text), names, line: node.line });
    }
    for (const child of node.children) this.readStatement(child, doc);
  }

  private readImport(node: SyntaxNode): void {
    const source = node.child('source') ?? node.firstOfType('import_require_clause')?.child('source');
    if (!source) return;
    const names: string[] = [];
    for (const part of node.firstOfType('import_clause')?.children ?? []) {
      if (part.type === 'identifier') names.push(part.text);
      if (part.type === 'namespace_import') names.push(...part.children.map((child) => child.text));
      if (part.type === 'named_imports') {
        for (const specifier of part.children) {
          const name = specifier.child('alias') ?? specifier.child('name');
          if (name) names.push(name.text);
        }
      }
    }
    this.imports.push({ module: unquoted(source.text), names, line: node.line });
  }

  private addFunction(
    at: SyntaxNode,
    callable: SyntaxNode,
    name: string | undefined,
    doc: string | null,
    container: string | null = null,
  ): void {
    if (!name) return;
    const body = callable.child('body');
    this.symbols.push(
      symbolFrom(at, name, container === null ? 'function' : 'method', {
        container,
        doc,
        parameters: parametersOf(callable),
        returns: returnTypeOf(callable),
        calls: callsBelow(body, callOf),
        declarationOnly: this.declarationFile || !body,
      }),
    );
  }

  private addClass(node: SyntaxNode, name: string | undefined, doc: string | null): void {
    if (!name) return;
    const bases = heritageOf(node);
    this.symbols.push(symbolFrom(node, name, 'class', { doc, bases, declarationOnly: this.declarationFile }));
    this.addMembers(node.child('body'), name);
  }

  private addMembers(body: SyntaxNode | null, container: string): void {
    const members = body?.children ?? [];
    members.forEach((member, index) => {
      const name = member.child('name') ?? member.child('property') ?? member.child('key');
      if (!name || /^\[/.test(name.text)) return;
      const doc = commentBefore(members, index);
      const value = member.child('value');
      if (/method|abstract_method_signature/.test(member.type)) {
        if (!isAccessor(member)) this.addFunction(member, member, name.text, doc, container);
      } else if (value && functionTypes.has(value.type)) {
        this.addFunction(member, value, name.text, doc, container);
      } else if (
        value &&
        /field_definition/.test(member.type) &&
        /\b(static|readonly)\b/.test(member.text.slice(0, name.start - member.start))
      ) {
        const literal = literalOf(value);
        if (literal) this.symbols.push(symbolFrom(member, name.text, 'constant', { container, doc, value: literal }));
      }
    });
  }

  private addInterface(node: SyntaxNode, doc: string | null): void {
    const name = node.textOf('name');
    const bases = node.firstOfType('extends_type_clause')?.children.map((base) => oneLine(base.text)) ?? [];
    this.symbols.push(symbolFrom(node, name, 'interface', { doc, bases }));
    const members = node.child('body')?.children ?? [];
    members.forEach((member, index) => {
      const memberName = member.textOf('name');
      if (member.type !== 'method_signature' || memberName.startsWith('[') || isAccessor(member)) return;
      this.addFunction(member, member, memberName, commentBefore(members, index), name);
    });
  }

  private addEnum(node: SyntaxNode, doc: string | null): void {
    const name = node.textOf('name');
    this.symbols.push(symbolFrom(node, name, 'enum', { doc }));
    for (const member of node.child('body')?.children ?? []) {
      const value = member.child('value');
      const literal = value && literalOf(value);
      if (literal)
        this.symbols.push(symbolFrom(member, member.textOf('name'), 'constant', { container: name, value: literal }));
    }
  }

  private addVariables(node: SyntaxNode, doc: string | null): void {
    const constant = node.text.startsWith('const');
    for (const declarator of node.children) {
      const name = declarator.child('name');
      const value = declarator.child('value');
      if (declarator.type !== 'variable_declarator' || !name) continue;
      if (value && this.addRequire(name, value, declarator)) continue;
      if (name.type !== 'identifier') continue;
      this.addValue(declarator, name.text, value, doc, constant);
    }
  }

  private addRequire(name: SyntaxNode, value: SyntaxNode, at: SyntaxNode): boolean {
    const module = requiredModule(value);
    if (module === null) return false;
    const names =
      name.type === 'object_pattern' ? name.children.map((one) => (one.child('value') ?? one).text) : [name.text];
    this.imports.push({ module, names, line: at.line });
    return true;
  }

  private addValue(
    at: SyntaxNode,
    name: string,
    value: SyntaxNode | null,
    doc: string | null,
    constant: boolean,
  ): void {
    if (value && functionTypes.has(value.type)) {
      this.addFunction(at, value, name, doc);
      return;
    }
    if (value?.type === 'class') {
      this.addClass(value, name, doc);
      return;
    }
    const literal = value && constant ? literalOf(value) : null;
    this.symbols.push(
      symbolFrom(at, name, constant ? 'constant' : 'variable', {
        doc,
        value: literal,
        declarationOnly: this.declarationFile,
        calls: callsBelow(value, callOf),
      }),
    );
    const object = value && frozenObject(value);
    if (object) this.addObjectMembers(object, name);
  }

  private addObjectMembers(object: SyntaxNode, container: string): void {
    object.children.forEach((member, index) => {
      const doc = commentBefore(object.children, index);
      const key = member.child('key') ?? member.child('name');
      const value = member.child('value');
      if (!key || key.type === 'computed_property_name') return;
      const name = unquoted(key.text);
      if (member.type === 'method_definition') this.addFunction(member, member, name, doc, container);
      else if (value && functionTypes.has(value.type)) this.addFunction(member, value, name, doc, container);
      else if (value && /^[A-Za-z_$][\w$]*$/.test(name)) {
        const literal = literalOf(value);
        if (literal) this.symbols.push(symbolFrom(member, name, 'constant', { container, doc, value: literal }));
      }
    });
  }

  private readExpression(node: SyntaxNode, doc: string | null): void {
    const expression = node.children[0];
    if (!expression) return;
    if (expression.type === 'internal_module') this.readBody(expression.child('body')?.children ?? []);
    const module = requiredModule(expression);
    if (module !== null) this.imports.push({ module, names: [], line: node.line });
    if (expression.type === 'assignment_expression') this.readAssignment(expression, doc);
    // A module wrapped in a function that is called at once.
    const wrapped = wrappedBody(expression);
    if (wrapped) this.readBody(wrapped.children);
  }

  private readAssignment(node: SyntaxNode, doc: string | null): void {
    const target = node.child('left')?.text.replace(/\s+/g, '') ?? '';
    const value = node.child('right');
    if (!value) return;
    const module = requiredModule(value);
    if (module !== null) {
      this.imports.push({ module, names: [], line: node.line });
      return;
    }
    const prototype = /^([A-Za-z_$][\w$]*)\.prototype\.([A-Za-z_$][\w$]*)$/.exec(target);
    if (prototype) {
      if (functionTypes.has(value.type)) this.addFunction(node, value, prototype[2], doc, prototype[1]);
      return;
    }
    const exported = /^(?:module\.)?exports\.([A-Za-z_$][\w$]*)$/.exec(target);
    if (exported && value.type !== 'identifier') this.addValue(node, exported[1]!, value, doc, true);
    if (target !== 'module.exports') return;
    const named = value.child('name')?.text;
    if (functionTypes.has(value.type)) this.addFunction(node, value, named, doc);
    else if (value.type === 'class') this.addClass(value, named, doc);
    else if (value.type === 'assignment_expression') this.readAssignment(value, doc);
  }
}

// An accessor is read like a value, not called.
function isAccessor(member: SyntaxNode): boolean {
  return /^((public|private|protected|override|static)\s+)*(get|set)\s+[\w$#[]/.test(member.text);
}
