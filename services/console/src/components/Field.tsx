// Fields of forms: label, input, hint, and every error that the API has for the field. Which errors are shown, and for which
// fields, the form around them says.
import { createContext, type ComponentChildren, type JSX } from 'preact';
import { useContext } from 'preact/hooks';
import { messagesOf, type Problem } from '../api/problem';
import type { ProblemPlace } from '../api/types';

export interface FormState {
  errors: readonly ProblemPlace[];
  /** Whether a field was left or changed, so that its errors may be shown. */
  isTouched(field: string): boolean;
  touch(field: string): void;
}

/** A form whose errors are those of its refusal, and all of them shown. */
export const refusedWith = (problem: Problem | undefined): FormState => ({ errors: problem?.errors ?? [], isTouched: () => true, touch: () => undefined });

export const FormContext = createContext<FormState>(refusedWith(undefined));

/** The element's id of a field, which its label and its errors point to. */
export const idOf = (field: string): string => `field-${field.replace(/[^a-z0-9]+/gi, '-')}`;

export interface FieldProps {
  /** As the API names it, such as `spec.lora.rank`. */
  name: string;
  label: string;
  hint?: ComponentChildren;
  isWide?: boolean;
}

interface Wiring {
  id: string;
  'aria-invalid': boolean;
  'aria-describedby': string;
  onBlur(): void;
}

export function Field(props: FieldProps & { children: (wiring: Wiring) => ComponentChildren }) {
  const form = useContext(FormContext);
  const id = idOf(props.name);
  const messages = form.isTouched(props.name) ? messagesOf(form.errors, props.name) : [];
  const wiring: Wiring = {
    id,
    'aria-invalid': messages.length > 0,
    'aria-describedby': `${id}-about`,
    onBlur: () => form.touch(props.name),
  };
  return (
    <div class={`field ${props.isWide ? 'wide' : ''} ${messages.length > 0 ? 'wrong' : ''}`}>
      <label for={id}>{props.label}</label>
      {props.children(wiring)}
      <div id={`${id}-about`} class="about">
        {messages.map((message) => <p key={message} class="error">{message}</p>)}
        {props.hint && <p class="dim">{props.hint}</p>}
      </div>
    </div>
  );
}

type Change = { value: string; onChange(value: string): void };

interface Typed extends FieldProps, Change {
  placeholder?: string;
  /** What is offered while typing; anything else may be typed too. */
  list?: readonly string[];
  isDisabled?: boolean;
}

function Input({ own, ...props }: Typed & { own: JSX.InputHTMLAttributes<HTMLInputElement> }) {
  const list = props.list && `${idOf(props.name)}-list`;
  return (
    <Field {...props}>
      {(wiring) => (
        <>
          <input
            {...wiring}
            {...own}
            value={props.value}
            placeholder={props.placeholder}
            disabled={props.isDisabled}
            list={list}
            autocomplete="off"
            onInput={(event) => props.onChange(event.currentTarget.value)}
          />
          {list && <datalist id={list}>{props.list?.map((one) => <option key={one} value={one} />)}</datalist>}
        </>
      )}
    </Field>
  );
}

export function Text({ type = 'text', isRequired, ...props }: Typed & { type?: string; isRequired?: boolean }) {
  return <Input {...props} own={{ type, required: isRequired }} />;
}

/** A number is kept as it is typed: what cannot be read is for the API to name. */
export function Numeric(props: Typed) {
  return <Input {...props} own={{ inputMode: 'decimal', class: 'number' }} />;
}

export function Area(props: FieldProps & Change & { rows?: number; placeholder?: string }) {
  return (
    <Field {...props}>
      {(wiring) => (
        <textarea {...wiring} rows={props.rows ?? 2} value={props.value} placeholder={props.placeholder} onInput={(event) => props.onChange(event.currentTarget.value)} />
      )}
    </Field>
  );
}

export interface Choice {
  value: string;
  name: string;
  group?: string;
  isDisabled?: boolean;
}

/** A choice out of a list; groups stand under their names. */
export function Select(props: FieldProps & Change & { choices: readonly Choice[]; placeholder?: string; isDisabled?: boolean }) {
  const groups = [...new Set(props.choices.map((choice) => choice.group ?? ''))];
  const options = (group: string) =>
    props.choices
      .filter((choice) => (choice.group ?? '') === group)
      .map((choice) => <option key={choice.value} value={choice.value} disabled={choice.isDisabled}>{choice.name}</option>);
  return (
    <Field {...props}>
      {(wiring) => (
        // Made anew when the choices come: what is chosen may not have been there before.
        <select key={props.choices.length} {...wiring} value={props.value} disabled={props.isDisabled} onChange={(event) => props.onChange(event.currentTarget.value)}>
          {props.placeholder !== undefined && <option value="">{props.placeholder}</option>}
          {groups.map((group) => (group ? <optgroup key={group} label={group}>{options(group)}</optgroup> : options(group)))}
        </select>
      )}
    </Field>
  );
}

export function Check(props: FieldProps & { value: boolean; onChange(value: boolean): void; isDisabled?: boolean }) {
  return (
    <Field {...props}>
      {(wiring) => (
        <input {...wiring} type="checkbox" role="switch" checked={props.value} disabled={props.isDisabled} onChange={(event) => props.onChange(event.currentTarget.checked)} />
      )}
    </Field>
  );
}
