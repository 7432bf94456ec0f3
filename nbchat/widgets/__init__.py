"""Things to touch: widgets that are shown in a notebook and answer to the mouse and the keyboard.

Logic is Python, layout is JavaScript that lies beside it; nothing is fetched at run time.
"""
