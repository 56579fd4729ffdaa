// What is asked of the models beside the conversation itself.
import { Check, Slider, TextField } from "../../kit/field";
import { type Settings, settingsFaults } from "./conversation";

export function SettingsPanel({ settings, onChange }: { settings: Settings; onChange: (settings: Settings) => void }) {
    const change = (changes: Partial<Settings>) => onChange({ ...settings, ...changes });
    const faults = settingsFaults(settings);
    return (
        <div class="settings">
            <TextField label="System prompt" optional rows={4} value={settings.system} onInput={(system) => change({ system })} placeholder="Who the model is, and what it should do." />
            <Slider label="Temperature" value={settings.temperature} onInput={(temperature) => change({ temperature })} min={0} max={2} step={0.05} hint="0 always takes the likeliest token." />
            <Slider label="Top p" value={settings.top_p} onInput={(top_p) => change({ top_p })} min={0.05} max={1} step={0.05} hint="Only the likeliest tokens that make up this share." />
            <TextField label="Most tokens" optional value={settings.max_tokens} onInput={(max_tokens) => change({ max_tokens })} error={faults.max_tokens} />
            <TextField label="Seed" optional value={settings.seed} onInput={(seed) => change({ seed })} error={faults.seed} hint="The same seed gives the same answer." />
            <TextField label="Stop at" optional rows={2} value={settings.stop} onInput={(stop) => change({ stop })} error={faults.stop} hint="Up to four texts, one a line, that end an answer." monospace />
            <Check label="Show probabilities" hint="Of each token, from the next answer on." checked={settings.probabilities} onInput={(probabilities) => change({ probabilities })} />
        </div>
    );
}
