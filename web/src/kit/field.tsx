// A thing to fill in: its name, a sentence on what it is for, and, where it was refused, why.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface Frame {
    label: string;
    hint?: ComponentChildren;
    error?: string | null;
    optional?: boolean;
}

function FieldFrame({ id, label, hint, error, optional, children }: Frame & { id: string; children: ComponentChildren }) {
    return (
        <div class={`field ${error ? "faulty" : ""}`}>
            <label for={id}>
                {label}
                {optional && <span class="optional"> optional</span>}
            </label>
            {children}
            {error ? (
                <p class="field-error" id={`${id}-note`} role="alert">
                    {error}
                </p>
            ) : (
                hint && (
                    <p class="hint" id={`${id}-note`}>
                        {hint}
                    </p>
                )
            )}
        </div>
    );
}

interface TextProps extends Frame {
    value: string;
    onInput: (value: string) => void;
    placeholder?: string;
    type?: "text" | "password" | "url" | "search" | "number";
    rows?: number;
    min?: number;
    max?: number;
    step?: number | "any";
    maxLength?: number;
    autoFocus?: boolean;
    monospace?: boolean;
    disabled?: boolean;
}

export function TextField({ value, onInput, rows, type = "text", monospace, placeholder, min, max, step, maxLength, autoFocus, disabled, ...frame }: TextProps) {
    const id = useId();
    const common = {
        id,
        value,
        placeholder,
        maxLength,
        disabled,
        autoFocus,
        class: `input ${monospace ? "monospace" : ""}`,
        "aria-describedby": frame.hint || frame.error ? `${id}-note` : undefined,
        "aria-invalid": frame.error ? true : undefined,
    };
    return (
        <FieldFrame id={id} {...frame}>
            {rows ? (
                <textarea {...common} rows={rows} onInput={(event) => onInput(event.currentTarget.value)} />
            ) : (
                <input {...common} type={type as "text"} min={min} max={max} step={step} autocomplete="off" onInput={(event) => onInput(event.currentTarget.value)} />
            )}
        </FieldFrame>
    );
}

export interface Choice {
    value: string;
    label: string;
    disabled?: boolean;
    /** The heading that it stands under; choices of a group follow one another. */
    group?: string;
}

function option(choice: Choice, value: string) {
    return (
        <option key={choice.value} value={choice.value} disabled={choice.disabled} selected={choice.value === value}>
            {choice.label}
        </option>
    );
}

/** A select's choices, under their headings. */
export function choiceOptions(choices: Choice[], value: string) {
    const groups = [...new Set(choices.map(({ group }) => group))];
    return groups.map((group) => {
        const options = choices.filter((choice) => choice.group === group).map((choice) => option(choice, value));
        return group === undefined ? (
            options
        ) : (
            <optgroup key={group} label={group}>
                {options}
            </optgroup>
        );
    });
}

export function SelectField({ value, onInput, choices, disabled, ...frame }: Frame & { value: string; onInput: (value: string) => void; choices: Choice[]; disabled?: boolean }) {
    const id = useId();
    return (
        <FieldFrame id={id} {...frame}>
            <select
                id={id}
                class="input"
                value={value}
                disabled={disabled}
                aria-describedby={frame.hint || frame.error ? `${id}-note` : undefined}
                aria-invalid={frame.error ? true : undefined}
                onInput={(event) => onInput(event.currentTarget.value)}
            >
                {choiceOptions(choices, value)}
            </select>
        </FieldFrame>
    );
}

export function Slider({ label, hint, value, onInput, min, max, step }: Frame & { value: number; onInput: (value: number) => void; min: number; max: number; step: number }) {
    const id = useId();
    return (
        <div class="field">
            <div class="slider-head">
                <label for={id}>{label}</label>
                <output for={id}>{value}</output>
            </div>
            <input id={id} type="range" class="slider" min={min} max={max} step={step} value={value} onInput={(event) => onInput(Number(event.currentTarget.value))} aria-describedby={hint ? `${id}-note` : undefined} />
            {hint && (
                <p class="hint" id={`${id}-note`}>
                    {hint}
                </p>
            )}
        </div>
    );
}

export function Check({ label, checked, onInput, hint, disabled }: { label: ComponentChildren; checked: boolean; onInput: (checked: boolean) => void; hint?: string; disabled?: boolean }) {
    return (
        <label class="check">
            <input type="checkbox" checked={checked} disabled={disabled} onInput={(event) => onInput(event.currentTarget.checked)} />
            <span>
                {label}
                {hint && <small class="hint">{hint}</small>}
            </span>
        </label>
    );
}

const PAUSE = 250; // milliseconds

/** Waits for a pause in the typing before it tells; shows another value once it is given one. */
export function SearchField({ label, value, onInput }: { label: string; value: string; onInput: (value: string) => void }) {
    const [text, setText] = useState(value);
    const told = useRef(value);
    const waiting = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
    useEffect(() => {
        if (value === told.current) return;
        clearTimeout(waiting.current);
        told.current = value;
        setText(value);
    }, [value]);
    useEffect(() => () => clearTimeout(waiting.current), []);
    function type(next: string) {
        setText(next);
        clearTimeout(waiting.current);
        waiting.current = setTimeout(() => onInput((told.current = next)), PAUSE);
    }
    return <input type="search" class="input search" aria-label={label} placeholder={label} value={text} onInput={(event) => type(event.currentTarget.value)} />;
}
