"""Shopify as the sandbox plays it: the GraphQL routes of discount codes, any shop, any token that begins `shpat_`."""

from providers.sandbox.shopify.doors import Shopify

__all__ = ["Shopify"]
