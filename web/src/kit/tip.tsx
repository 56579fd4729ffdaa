// A word on hover, or on focus, for what is short or an icon.
import { Tooltip, TooltipAnchor, TooltipProvider } from "@ariakit/react";
import type { ComponentChildren } from "preact";

export function Tip({ text, children }: { text: ComponentChildren; children: ComponentChildren }) {
    return (
        <TooltipProvider timeout={300}>
            <TooltipAnchor render={<span class="tip-anchor" />}>{children}</TooltipAnchor>
            <Tooltip class="tip" gutter={6} unmountOnHide>
                {text}
            </Tooltip>
        </TooltipProvider>
    );
}
