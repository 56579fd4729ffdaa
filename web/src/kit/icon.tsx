// Icons: Lucide's, by name of what they stand for. Decoration only: whoever shows one says in words what it means.
import {
    Activity, Bell, Box, Check, ChevronDown, ChevronRight, CircleAlert, CircleCheck, CircleX, Clock, Copy, Download, Ellipsis, FileText,
    FlaskConical, Gauge, House, Info, KeyRound, Layers, LogOut, Menu, MessageSquare, Pause, Pencil, Play, Plus, RefreshCw, RotateCcw,
    Search, Send, SlidersHorizontal, Square, Trash2, TriangleAlert, Upload, Webhook, X, ArrowLeft, Save, Split, History, type IconNode,
} from "lucide";
import { h } from "preact";

const icons = {
    home: House, playground: MessageSquare, models: Box, tuning: SlidersHorizontal, batches: Layers, files: FileText, webhooks: Webhook,
    keys: KeyRound, usage: Gauge, activity: Activity, bell: Bell, check: Check, down: ChevronDown, right: ChevronRight, alert: CircleAlert,
    good: CircleCheck, bad: CircleX, clock: Clock, copy: Copy, download: Download, more: Ellipsis, flask: FlaskConical, info: Info,
    signOut: LogOut, menu: Menu, pause: Pause, edit: Pencil, play: Play, plus: Plus, refresh: RefreshCw, retry: RotateCcw, search: Search,
    send: Send, stop: Square, remove: Trash2, warning: TriangleAlert, upload: Upload, close: X, back: ArrowLeft, save: Save, compare: Split,
    history: History,
} satisfies Record<string, IconNode>;

export type IconName = keyof typeof icons;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
    return (
        <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            {icons[name].map(([tag, attributes]) => h(tag, attributes as object))}
        </svg>
    );
}
