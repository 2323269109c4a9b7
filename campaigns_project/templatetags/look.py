"""Template tags of the merchants' pages."""

from django import template

register = template.Library()
