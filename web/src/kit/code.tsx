// Code to copy, in the languages of our readers. `examples` makes the same request in each.
import { signal } from "@preact/signals";
import { Button } from "./button";
import { copyText } from "./show";

export interface Example {
    language: string;
    code: string;
}

const kept = "temper.language";
const preferred = signal(localStorage.getItem(kept) ?? "Python");

export function Code({ examples, label = "Code" }: { examples: Example[]; label?: string }) {
    const shown = examples.find(({ language }) => language === preferred.value) ?? examples[0]!;
    function choose(language: string) {
        preferred.value = language;
        localStorage.setItem(kept, language);
    }
    return (
        <figure class="code" aria-label={label}>
            <figcaption>
                <div role="group" aria-label="Language">
                    {examples.map(({ language }) => (
                        <button key={language} type="button" class="code-language" aria-pressed={language === shown.language} onClick={() => choose(language)}>
                            {language}
                        </button>
                    ))}
                </div>
                <Button kind="quiet" small icon="copy" onPress={() => copyText(shown.code, "The code is copied.")}>
                    Copy
                </Button>
            </figcaption>
            <pre tabIndex={0}>
                <code>{shown.code}</code>
            </pre>
        </figure>
    );
}

/** This server's address for clients. */
export function baseUrl(): string {
    return `${location.origin}/v1`;
}
